from tests.pages.blocks import declare

exec(declare("docs/guide.md", "Models you cannot edit"))
