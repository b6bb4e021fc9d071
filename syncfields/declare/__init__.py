"""What a user says: rules, and the paths that they walk."""
