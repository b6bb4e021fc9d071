"""A project whose models are those that the pages declare."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "project"))

DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3"},
    "logs": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "syncfields",
    "syncfields.admin",
    *("blog", "club", "forum", "front", "news", "shop", "tenants", "vendor"),
]
# All tables are made at once: the apps of the pages have no migrations.
MIGRATION_MODULES = dict.fromkeys(("admin", "auth", "contenttypes", "sessions"))
SECRET_KEY = "tests"
USE_TZ = True
