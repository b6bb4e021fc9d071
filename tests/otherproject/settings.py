"""The settings of the tests, with a user model of the project's own."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

AUTH_USER_MODEL = "otherproject.Member"
INSTALLED_APPS = [*INSTALLED_APPS[:-1], "tests.otherproject.apps.OtherProjectConfig"]
