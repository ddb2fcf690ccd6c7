"""How the rows of a relation depend on the sources of a job: what each operator of a query makes of it."""
