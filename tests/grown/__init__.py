"""An app whose tables were there before its rules: its migrations are run for real."""
