"""The README as it is shown where the package is published: with full addresses for its links.

In the repository they are relative, so that they lead to the same version, and are tested.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PAGE = re.compile(r"\]\(docs/([\w-]+)\.md")
# As the file itself: what a repository shows under blob/ is a page around it, and no picture.
IMAGE = re.compile(r"(!\[[^\]]*\])\((?!https?:)([\w./-]+)")
FILE = re.compile(r"\]\((?!https?:|#)([\w./-]+)")


class ReadmeHook(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        urls = metadata["urls"]
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = IMAGE.sub(rf"\1({urls['Repository']}/raw/main/\2", text)
        text = PAGE.sub(rf"]({urls['Documentation']}\1.html", text)
        text = FILE.sub(rf"]({urls['Repository']}/blob/main/\1", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
