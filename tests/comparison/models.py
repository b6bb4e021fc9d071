"""A post whose comments are counted, as the documentation of each library has it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F
from django.db.models.signals import post_delete, post_save

WAY = settings.WAY

if WAY == "computedfields":
    from computedfields.models import ComputedFieldsModel, computed

    class Post(ComputedFieldsModel):
        @computed(models.IntegerField(default=0), depends=[("comments", ["post"])])
        def comment_count(self) -> int:
            return self.comments.count() if self.pk else 0

elif WAY == "denorm":
    from denorm import denormalized, depend_on_related

    class Post(models.Model):
        @denormalized(models.IntegerField, default=0)
        @depend_on_related("Comment", type="backward", foreign_key="post")
        def comment_count(self) -> int:
            return self.comments.count() if self.pk else 0

elif WAY == "counter":
    from django_counter_cache_field import CounterCacheField

    class Post(models.Model):
        comment_count = CounterCacheField()

elif WAY == "pgtrigger":
    import pgtrigger

    class Post(models.Model):
        comment_count = models.IntegerField(default=0)

elif WAY == "syncfields":
    from syncfields import synced

    class Post(models.Model):
        comment_count = synced(models.IntegerField(default=0), models.Count("comments"))

else:

    class Post(models.Model):
        comment_count = models.IntegerField(default=0)


class Author(models.Model):
    pass


def foreign_key() -> models.ForeignKey:
    given = Post, models.CASCADE
    if WAY != "denormalized":
        return models.ForeignKey(*given, related_name="comments")
    from denormalized import DenormalizedForeignKey, DenormalizedTracker

    tracker = DenormalizedTracker("comment_count", aggregate=models.Count("pk"))
    return DenormalizedForeignKey(*given, related_name="comments", trackers=[tracker])


class Comment(models.Model):
    post = foreign_key()
    author = models.ForeignKey(Author, models.CASCADE, null=True)

    if WAY == "pgtrigger":

        class Meta:
            triggers = [
                pgtrigger.Trigger(
                    name="count",
                    when=pgtrigger.After,
                    operation=pgtrigger.Insert | pgtrigger.Delete | pgtrigger.UpdateOf("post_id"),
                    func="""
                        IF TG_OP <> 'DELETE' THEN UPDATE comparison_post
                            SET comment_count = comment_count + 1 WHERE id = NEW.post_id; END IF;
                        IF TG_OP <> 'INSERT' THEN UPDATE comparison_post
                            SET comment_count = comment_count - 1 WHERE id = OLD.post_id; END IF;
                        RETURN NULL;
                    """,
                )
            ]


if WAY == "receivers":

    def count(post: int, amount: int) -> None:
        Post.objects.filter(pk=post).update(comment_count=F("comment_count") + amount)

    def saved(sender: type[Comment], instance: Comment, created: bool, **kwargs: object) -> None:
        if created:
            count(instance.post_id, 1)

    def deleted(sender: type[Comment], instance: Comment, **kwargs: object) -> None:
        count(instance.post_id, -1)

    post_save.connect(saved, Comment)
    post_delete.connect(deleted, Comment)
