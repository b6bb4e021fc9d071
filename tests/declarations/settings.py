"""The settings of the tests with a world of its own, in which no rule is declared."""

from tests.settings import *  # noqa: F403

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "syncfields",
    "tests.declarations",
]
MIDDLEWARE = []
TEMPLATES = []
# What is wrong with a rule is counted, not said.
LOGGING = {"version": 1, "loggers": {"syncfields": {"level": "CRITICAL", "propagate": False}}}
