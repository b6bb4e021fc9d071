"""What django-modeltranslation looks for in each application."""

from modeltranslation.translator import TranslationOptions, register

from tests.packages.test_modeltranslation import Museum, Room


@register(Museum)
class MuseumOptions(TranslationOptions):
    fields = ["name"]


@register(Room)
class RoomOptions(TranslationOptions):
    fields = ["title"]
    required_languages: list[str] = []
