from tests.pages.blocks import declare

exec(declare("README.md", "syncfields"))
