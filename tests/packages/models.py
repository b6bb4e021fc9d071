"""The models stand beside their tests: each trial is one file, read where its package is there."""

from importlib import import_module
from importlib.util import find_spec

from django.conf import settings

NAMES = {"factories": "factory"}

for trial in settings.TRIALS:
    name = trial.removeprefix("test_")
    if find_spec(NAMES.get(name, name)):
        import_module(f"tests.packages.{trial}")
