import os
import platform

import django
from hypothesis import HealthCheck, settings

# No deadline: how long a query takes says nothing about the code under test.
settings.register_profile("default", deadline=None)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_report_header() -> str:
    database = os.environ.get("SYNCFIELDS_TEST_DATABASE") or "sqlite"
    return (
        f"syncfields: database {database}, Django {django.__version__}, "
        f"Python {platform.python_version()}"
    )
