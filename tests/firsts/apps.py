from django.apps import AppConfig


class FirstsConfig(AppConfig):
    name = "tests.firsts"
    label = "firsts"
    default_auto_field = "django.db.models.BigAutoField"
