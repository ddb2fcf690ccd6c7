"""Pages of the guide as tests play them: their blocks, and their commands."""

import io
import re
import shlex
from contextlib import redirect_stdout

import pytest

from lake.cli.main import main

BLOCK = re.compile(r"(?:^`([\w./-]+)`\n\n)?^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
"""A block of a page: the name of the file that it is, if any, its language, its text."""

_EXIT = re.compile(r"\s+# exits with (\d)$")


def command(line: str) -> str:
    """What one command of a page writes to stdout; it must end as the page says, else with 0.

    The command's own entry is called, in this process: fifty starts of Python take longer than all that they do.
    """
    expected, out = _EXIT.search(line), io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    with redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main(shlex.split(_EXIT.sub("", line))[1:])
    assert ended.value.code == (int(expected[1]) if expected else 0), line
    out.flush()
    return out.buffer.getvalue().decode("utf-8")
