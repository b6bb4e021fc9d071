"""What type checkers say of the public names: mypy and pyright go over it, and nothing is run."""
