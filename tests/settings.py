"""The one settings module. SYNCFIELDS_TEST_DATABASE names the database: see databases.py."""

import os

from tests import databases

DATABASES = databases.configured(os.environ.get("SYNCFIELDS_TEST_DATABASE") or "sqlite")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "syncfields",
    "syncfields.admin",
    "tests.firsts",
    "tests.grown",
    "tests.hub",
    "tests.testapp",
]

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# All tables are made at once: tests.testapp has no migrations, and what has none cannot have
# foreign keys to what has.
MIGRATION_MODULES = dict.fromkeys(("admin", "auth", "contenttypes", "sessions"))

# Fast, and good enough for users that live as long as a test.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SECRET_KEY = "tests"
STATIC_URL = "static/"
USE_TZ = True
# auth.User.is_staff has a rule, by register(): what W007 says of it is right, and meant.
SILENCED_SYSTEM_CHECKS = ["syncfields.W007"]
