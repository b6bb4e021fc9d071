"""For the plugin of mypy: it knows the managers of installed models only."""

from tests import settings

DEFAULT_AUTO_FIELD = settings.DEFAULT_AUTO_FIELD
INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.typed"]
SECRET_KEY = "typed"
