"""What belongs to a transaction, a block or a context, on one connection."""
