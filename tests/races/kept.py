"""A plugin for pytest: the test databases are there, and are those of the run that started this."""

from __future__ import annotations

import pytest
from django.db import connections


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment):
    for each in connections.all():
        each.settings_dict["NAME"] = each.settings_dict["TEST"]["NAME"]
