"""What is not plain text in columns: told by its first bytes or its name, and a reader for each family."""
