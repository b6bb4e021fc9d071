from django.apps import AppConfig, apps
from django.db.models import Exists, OuterRef, Subquery

from syncfields import register


class TestAppConfig(AppConfig):
    name = "tests.testapp"
    label = "testapp"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        if self.apps is not apps:  # isolate_apps() makes registries of its own.
            return
        from django.contrib.auth import get_user_model

        from tests.testapp.models import Badge, Comment, Post

        badges = Badge.objects.filter(holder=OuterRef("pk"), revoked=False)
        register(get_user_model(), is_staff=Exists(badges))

        # Here and not around the fields: the subqueries need models that are declared later.
        comments = Comment.objects.filter(post=OuterRef("pk"))
        register(Post, has_comments=Exists(comments))
        newest = comments.order_by("-created", "-pk").values("text")[:1]
        register(Post, newest_text=Subquery(newest), depends_on=["comments"])
