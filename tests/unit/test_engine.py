"""The SQL engine without a lake."""

import os
import signal
import threading
from pathlib import Path

import pytest

from lake.engine import Answer, connect

ENDLESS = "select count(*) from range(1_000_000_000_000) t(i) where i % 7 = 3"
LATER = "select i from range(1_000_000_000_000) t(i) where i < 100_000 or i = 999_999_999_999"


@pytest.mark.parametrize("sql", [ENDLESS, LATER])
def test_a_query_ends_when_it_is_interrupted(tmp_path: Path, sql: str) -> None:
    """Before its first row or after some; and the database answers the next query."""
    with connect(tmp_path, 1.0) as connection:
        for _ in range(3):
            frames = Answer(connection, sql).frames()
            if sql == LATER:
                assert [next(frames).height, next(frames).height > 0] == [0, True]
            soon = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
            soon.start()
            with pytest.raises(KeyboardInterrupt):
                list(frames)
            soon.join()
        _, rows = Answer(connection, "select 7 as n").frames()
        assert rows.rows() == [(7,)]
