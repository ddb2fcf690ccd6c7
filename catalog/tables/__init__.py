"""Delta tables: read and commit; the only package that imports deltalake."""
