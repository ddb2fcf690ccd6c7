"""A numbered sequence of objects on both servers: without a gap, whatever becomes of its hint."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from catalog.errors import NotFound
from catalog.objects import Endpoint, ObjectStore, Sequence
from catalog.zones import Zone
from tests.support.proxy import Proxy, Request


@pytest.fixture
def direct(endpoint: Endpoint) -> ObjectStore:
    return ObjectStore(endpoint)


@pytest.fixture
def through(proxy: Proxy) -> ObjectStore:
    return ObjectStore(proxy.endpoint)


class TestSequence:
    def test_racing_writers_leave_no_gap(self, direct: ObjectStore) -> None:
        """Each number is made by one of eight writers, whose bytes stand under it."""

        def write(writer: int) -> list[tuple[int, bytes]]:
            mine = Sequence(direct, Zone.CATALOG, "numbers")
            made: list[tuple[int, bytes]] = []
            while len(made) < 3:
                number, body = mine.last() + 1, f"{writer}:{len(made)}".encode()
                if mine.create(number, body):
                    made.append((number, body))
            return made

        with ThreadPoolExecutor(8) as pool:
            made = sorted(pair for pairs in pool.map(write, range(8)) for pair in pairs)
        sequence = Sequence(direct, Zone.CATALOG, "numbers")
        assert [number for number, _ in made] == list(range(1, 25))
        assert [body for _, body in made] == [sequence.get(number) for number in range(1, 25)]
        assert sequence.last() == 24

    def test_starts_empty(self, direct: ObjectStore) -> None:
        """No number is 0, which no object stands for."""
        sequence = Sequence(direct, Zone.CATALOG, "numbers")
        assert sequence.last() == 0
        with pytest.raises(NotFound):
            sequence.get(0)

    @pytest.mark.parametrize("hint", [None, b'{"format": 1, "last": 1}', b'{"format": 1, "last": 3}'])
    def test_a_hint_that_lags_or_is_lost_changes_nothing(self, hint: bytes | None, direct: ObjectStore) -> None:
        """The hint saves time; the objects decide."""
        sequence = Sequence(direct, Zone.CATALOG, "numbers")
        for number in range(1, 6):
            assert sequence.create(number, b"%d" % number)
        direct.delete(Zone.CATALOG, "numbers.last")
        if hint is not None:
            direct.put(Zone.CATALOG, "numbers.last", hint)
        direct.put(Zone.CATALOG, "numbers/not-a-number.json", b"")
        assert sequence.last() == 5
        assert sequence.create(6, b"6")
        assert not sequence.create(6, b"other")
        assert sequence.last() == 6

    @pytest.mark.usefixtures("impatient")
    def test_a_number_that_is_made_is_made(self, proxy: Proxy, through: ObjectStore) -> None:
        """A store that goes away before the hint is moved does not make a failure of what was created."""
        proxy.answer(503, "*", r"/numbers\.last", times=None)
        assert Sequence(through, Zone.CATALOG, "numbers").create(1, b"1")
        proxy.clear()
        assert Sequence(through, Zone.CATALOG, "numbers").last() == 1

    def test_a_hint_never_leads(self, proxy: Proxy, through: ObjectStore) -> None:
        """It names a number only once the object of that number is there."""
        seen: list[bool] = []
        lock = threading.Lock()

        def look(request: Request) -> None:
            with lock:
                seen.append(through.exists(Zone.CATALOG, "numbers/00000000000000000001.json"))

        proxy.on_request(look, "PUT", r"/numbers\.last", times=None)
        Sequence(through, Zone.CATALOG, "numbers").create(1, b"1")
        assert seen == [True]
