from tests.pages.blocks import declare

exec(declare("docs/guide.md", "Expressions that name models"))
