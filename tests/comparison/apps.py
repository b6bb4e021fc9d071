from django.apps import AppConfig
from django.conf import settings


class ComparisonConfig(AppConfig):
    name = "tests.comparison"

    def ready(self) -> None:
        if settings.WAY == "counter":
            from django_counter_cache_field import connect_counter

            from tests.comparison.models import Comment

            connect_counter("comment_count", Comment.post)
