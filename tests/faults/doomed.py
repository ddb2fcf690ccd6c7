"""The ``lake`` command, doomed: ``python -m tests.faults.doomed run 7 promote`` dies at the seventh fail point.

Who dies there: the ``run``'s own process; ``all``, when one of its workers gets there; or that ``worker`` alone.
"""

import os
import sys

from catalog import failpoints
from lake.cli.main import main
from lake.promote import process, worker
from tests.faults.victim import dies_at

WHO = ("run", "all", "worker")
_VARIABLE = "DOOMED_AT"

if __name__ == "__main__":
    if _VARIABLE in os.environ:
        who, reaches = os.environ[_VARIABLE].split()
        failpoints.armed = dies_at(None, int(reaches), int(sys.argv[1]) if who == "all" else None)
        worker.main(sys.argv[1:])
    else:
        who, reaches, *arguments = sys.argv[1:]
        if who == "run":
            failpoints.armed = dies_at(None, int(reaches))
        else:
            os.environ[_VARIABLE] = f"{who} {reaches}"
            process.MODULE = __spec__.name
        main(arguments)
