from tests.pages.blocks import declare

exec(declare("docs/guide.md", "Counting events with Tally"))
