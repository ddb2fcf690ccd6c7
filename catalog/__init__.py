"""What is stored, and what we know and promise about it."""
