"""What instances in memory hold of it: old values, and those that a write has made old."""
