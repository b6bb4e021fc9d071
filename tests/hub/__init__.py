"""A model of which many rules of many tables hang: the comment of a blog."""
