"""Jobs: what turns tables into tables."""
