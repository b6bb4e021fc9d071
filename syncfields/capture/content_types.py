"""Generic relations, by what they are joined with: the key of a content type.

Django asks the default database for it, whichever the query is for, and builds it in when a join is
made. Content types have other keys in another database, and in the schema of another tenant. Here
it is the key that the database has for which the query is compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.db.models import Expression
from django.db.models.sql.where import AND, WhereNode

from syncfields.capture.wrapping import wrap


def connect() -> None:
    if apps.is_installed("django.contrib.contenttypes"):
        from django.contrib.contenttypes.fields import GenericRelation

        wrap(GenericRelation, "get_extra_restriction", restricting)


class TypeKey(Expression):
    """The key of the content type of a generic relation's model."""

    def __init__(self, relation: Any, output_field: Any) -> None:
        super().__init__(output_field=output_field)
        self.relation = relation

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        from django.contrib.contenttypes.models import ContentType

        found = ContentType.objects.db_manager(connection.alias).get_for_model(
            self.relation.model, for_concrete_model=self.relation.for_concrete_model
        )
        return "%s", (found.pk,)


def restricting(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_extra_restriction(self: Any, alias: Any, remote_alias: Any) -> Any:
        field = self.remote_field.model._meta.get_field(self.content_type_field_name)
        key = TypeKey(self, field.target_field)
        lookup = field.get_lookup("exact")(field.get_col(remote_alias), key)
        return WhereNode([lookup], connector=AND)

    return get_extra_restriction
