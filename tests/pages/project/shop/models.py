from tests.pages.blocks import declare

exec(declare("docs/guide.md", "Declaring a rule"))
