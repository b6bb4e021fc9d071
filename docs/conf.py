"""The site of these pages: ``make docs`` builds it, warnings are errors."""

import django
from django.conf import settings

settings.configure(INSTALLED_APPS=["django.contrib.contenttypes", "syncfields"])
django.setup()

project = "syncfields"
author = "The syncfields developers"
copyright = author  # noqa: A001, as Sphinx names it
html_title = "syncfields"
html_theme = "furo"
html_theme_options = {"sidebar_hide_name": False}

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.intersphinx"]
exclude_patterns = ["_build"]
suppress_warnings = [
    "myst.xref_missing"
]  # Files that are not pages; tests/test_docs.py sees to them.

# The anchors of headings are those that GitHub makes, so that a link serves in both places.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
default_role = "literal"
highlight_language = "python"
