"""Other ways of keeping a count, as far as they are installed: see docs/comparison.md."""
