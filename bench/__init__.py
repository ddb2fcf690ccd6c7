"""What the lake takes, against scripts that an expert would write by hand; see ``bench/README.md``."""
