"""Objects on an S3 store; the only package that imports an S3 client."""
