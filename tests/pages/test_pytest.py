"""Tests for pytest that pages show, as pytest finds them here."""

from __future__ import annotations

import pytest

from tests.pages.blocks import declare

pytestmark = [
    pytest.mark.block("docs/guide.md", "Testing", 2),
    pytest.mark.block("docs/start.md", "5. Test"),
]

exec(declare("docs/guide.md", "Testing", 2))
exec(declare("docs/start.md", "5. Test"))
