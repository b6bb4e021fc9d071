"""A project whose workers are processes of their own. They are told by SYNCFIELDS_TEST_WORKER that
the database of the tests is theirs, and where the cache is that all of them share. With
SYNCFIELDS_TEST_OLD they are old code, which declares no rule.
"""

import os

import django

from tests import databases

DATABASES = {
    "default": databases.configured(os.environ.get("SYNCFIELDS_TEST_DATABASE") or "sqlite")[
        "default"
    ]
}
if "SYNCFIELDS_TEST_WORKER" in os.environ:
    DATABASES["default"]["NAME"] = DATABASES["default"]["TEST"]["NAME"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    *(["django_tasks"] if django.VERSION < (6,) else []),
    "django_tasks_db",
    *([] if "SYNCFIELDS_TEST_OLD" in os.environ else ["syncfields"]),
    "tests.distributed",
]
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": os.environ["SYNCFIELDS_TEST_RUNS"],
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
SECRET_KEY = "tests"
USE_TZ = True
