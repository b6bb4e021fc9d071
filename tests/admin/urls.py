"""An admin of its own, for what the tests of it need."""

from django.contrib import admin
from django.urls import path

from syncfields.admin import SyncedAdminMixin
from syncfields.admin.admin import SyncedFieldAdmin
from syncfields.admin.models import SyncedField
from tests.testapp.models import Blog, Comment, Place, Post, Restaurant, Shelf, TallyHive, Zone

site = admin.AdminSite("trial")


class PostInline(SyncedAdminMixin, admin.TabularInline):
    model = Post
    fields = ["title", "comment_count"]
    extra = 1


class BlogAdmin(SyncedAdminMixin, admin.ModelAdmin):
    inlines = [PostInline]
    exclude = ["engagement"]


class ShelfAdmin(SyncedAdminMixin, admin.ModelAdmin):
    list_display = ["pk", "book_count"]


class NoActions(SyncedAdminMixin, admin.ModelAdmin):
    actions = None


site.register(Blog, BlogAdmin)
site.register(Shelf, ShelfAdmin)
site.register(Zone, NoActions)
for model in (Comment, Place, Restaurant, TallyHive):
    site.register(model, type(f"{model.__name__}Admin", (SyncedAdminMixin, admin.ModelAdmin), {}))
site.register(Post)  # without the mixin
site.register(SyncedField, SyncedFieldAdmin)

urlpatterns = [path("admin/", site.urls)]
