"""The ``lake`` command: one file a group of commands; arguments become verbs, results become output."""
