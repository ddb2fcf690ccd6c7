"""How a query depends on each of its tables, read from the plan that DuckDB makes of it."""
