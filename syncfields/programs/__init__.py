"""What a write will do, found out before it: what it locks, reads and leads to."""
