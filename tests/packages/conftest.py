"""The trials run by settings of their own: see tests/test_packages.py."""

from pathlib import Path

from django.conf import settings

TRIALS = getattr(settings, "TRIALS", [])
collect_ignore = [
    path.name for path in Path(__file__).parent.glob("test_*.py") if path.stem not in TRIALS
]
