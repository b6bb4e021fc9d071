from django.apps import AppConfig


class PackagesConfig(AppConfig):
    name = "tests.packages"
    label = "packages"
    default_auto_field = "django.db.models.BigAutoField"
