"""The ``lake`` command, doomed: ``python -m tests.faults.doomed 7 run`` dies at the seventh fail point."""

import sys

from catalog import failpoints
from lake.cli.main import main
from tests.faults.victim import dies_at

if __name__ == "__main__":
    failpoints.armed = dies_at(None, int(sys.argv[1]))
    main(sys.argv[2:])
