"""The models of the contestant that this process runs."""

from importlib import import_module

from django.conf import settings

from tests.benchmarks.contestants import CONTESTANTS

contestant = import_module(
    f"tests.benchmarks.contestants.{CONTESTANTS[settings.CONTESTANT].module}"
)
