"""Questions to Django's ORM, and its SQL: each of its private names in one place."""
