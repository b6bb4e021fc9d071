"""What is wrong, said at start-up."""
