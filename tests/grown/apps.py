from django.apps import AppConfig


class GrownConfig(AppConfig):
    name = "tests.grown"
    label = "grown"
    default_auto_field = "django.db.models.BigAutoField"
