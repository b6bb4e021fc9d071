import os

from tests import databases

WAY = os.environ.get("SYNCFIELDS_TEST_WAY", "syncfields")
APPS = {"computedfields": ["computedfields"], "denorm": ["denorm"], "syncfields": ["syncfields"]}
APPS["pgtrigger"] = ["pgtrigger"]

DATABASES = {"default": databases.configured("postgresql")["default"]}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", *APPS.get(WAY, []), "tests.comparison"]
SECRET_KEY = "tests"
USE_TZ = True
