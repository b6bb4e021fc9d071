"""The settings of the trials: every package that is installed, beside the models tried with it."""

import os
from importlib.util import find_spec
from pathlib import Path

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS

DATABASES = {"default": DATABASES["default"]}

# Each of these changes the ORM, or its back end, for all models: a process of its own for each.
ALONE = ["cachalot", "cacheops", "pghistory", "psqlextra"]
TRIAL = os.environ.get("SYNCFIELDS_TEST_PACKAGE", "")
PACKAGES = {
    "": [
        "modeltranslation",  # before the admin
        "actstream",
        "auditlog",
        "django_extensions",
        "django_filters",
        "django_fsm",
        "djmoney",
        "guardian",
        "import_export",
        "mptt",
        "ordered_model",
        "parler",
        "phonenumber_field",
        "polymorphic",
        "rest_framework",
        "reversion",
        "safedelete",
        "simple_history",
        "taggit",
        "treebeard",
    ],
    "cachalot": ["cachalot"],
    "cacheops": ["cacheops"],
    "pghistory": ["django.contrib.postgres", "pgtrigger", "pghistory"],
    "psqlextra": ["django.contrib.postgres", "psqlextra"],
}[TRIAL]
INSTALLED_APPS = [
    *filter(find_spec, PACKAGES),
    *INSTALLED_APPS[:-1],
    "tests.packages.apps.PackagesConfig",
]

# The files whose models are made.
NAMES = [path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")]
TRIALS = sorted(f"test_{name}" for name in NAMES if (name == TRIAL if TRIAL else name not in ALONE))

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "German")]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    *(["guardian.backends.ObjectPermissionBackend"] if not TRIAL and find_spec("guardian") else []),
]

REDIS_URL = os.environ.get("SYNCFIELDS_REDIS_URL") or "redis://127.0.0.1:6379/5"
CACHEOPS_REDIS = REDIS_URL
CACHEOPS = {"*.*": {"ops": "all", "timeout": 60}}
CACHEOPS_PREFIX = "tests.packages.test_cacheops.prefix"

if TRIAL == "psqlextra" and DATABASES["default"]["ENGINE"].endswith("postgresql"):
    DATABASES["default"]["ENGINE"] = "psqlextra.backend"
