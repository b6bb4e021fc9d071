"""What is published: built, checked, installed from scratch, and used."""
