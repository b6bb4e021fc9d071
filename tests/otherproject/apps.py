from django.apps import AppConfig
from django.db.models import Count, Max

from syncfields import register


class OtherProjectConfig(AppConfig):
    name = "tests.otherproject"
    label = "otherproject"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.contrib.auth import get_user_model

        register(get_user_model(), note_count=Count("notes"), longest=Max("notes__length"))
