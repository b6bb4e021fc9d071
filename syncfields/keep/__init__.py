"""The engine: before, write, after."""
