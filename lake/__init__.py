"""What people touch: the command line, the Python API, jobs and the local server."""
