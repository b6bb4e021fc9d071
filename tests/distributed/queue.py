"""The Celery application of the workers."""

import os

from celery import Celery

BROKER = os.environ.get("SYNCFIELDS_REDIS_URL") or "redis://127.0.0.1:6379/0"

app = Celery("distributed", broker=BROKER)
app.conf.imports = ["syncfields.tasks.celery"]
app.conf.task_default_queue = "syncfields" + os.environ.get("SYNCFIELDS_TEST_SUFFIX", "")
app.conf.worker_prefetch_multiplier = 1
