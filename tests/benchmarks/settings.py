"""Settings of one worker: one database, and the models of one contestant.

SYNCFIELDS_BENCHMARK says which, as ``database:contestant``.
"""

import os

from tests import databases
from tests.benchmarks.contestants import CONTESTANTS

DATABASE, CONTESTANT = os.environ["SYNCFIELDS_BENCHMARK"].split(":")

_contestant = CONTESTANTS[CONTESTANT]
_name = f"syncfields_benchmark_{CONTESTANT}{databases.SUFFIX}"
DATABASES = {
    "default": (databases.sqlite if DATABASE == "sqlite" else databases.server)(DATABASE, _name)
}
if DATABASE == "sqlite":
    # As one has it in production; the tests do without the disk.
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL"
    )

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [*_contestant.apps, "tests.benchmarks"]
SECRET_KEY = "benchmarks"
SYNCFIELDS = _contestant.settings
USE_TZ = True
