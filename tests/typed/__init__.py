"""What type checkers say of the public names: mypy goes over it, and nothing is run."""
