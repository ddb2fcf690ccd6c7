"""``python -m lake`` is the ``lake`` command."""

from lake.cli.main import main

main()
