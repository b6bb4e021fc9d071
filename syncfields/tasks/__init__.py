"""Reconcile as tasks of a queue that you have: of Celery, or of ``django.tasks``."""
