from django.apps import AppConfig


class BaseballConfig(AppConfig):
    name = "baseball"
