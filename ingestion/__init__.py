"""How the outside gets in: landing to bronze, once."""
