"""How much may come out of one landed file, however it is packed: what is far beyond its size is made to do harm."""

from ingestion.refusal import FileRefused

MEMBERS_MAX = 10_000
"""As many files as a batch takes in one go; each makes two files in scratch and a part of the answer."""

DEPTH_MAX = 4
"""A supplier's zip of tar.gz of csv.gz has this depth; archives that hold themselves have any."""

RATIO_MAX = 200
"""Tables of text shrink to a tenth, those of nearly the same rows to a hundredth, bombs to a thousandth."""

FREE_BYTES = 256 << 20
"""What any file may come to, however small it is: small tables of zeros shrink a thousandfold."""

FILE_BYTES_MAX = 20 << 30
"""The largest file that is unpacked: scratch holds one at a time, and the tables that are made of it."""


class TooMuch(FileRefused):
    """What would come out of a file has no measure, so nothing of it is taken."""

    def __init__(self, reason: str) -> None:
        super().__init__("too-large", f"{reason}: unpack it and drop what you need")


class Allowance:
    """What may still come out of one landed file: files in all, and bytes at each depth of archives in archives."""

    def __init__(self, landed_bytes: int) -> None:
        self._bytes_max = FREE_BYTES + RATIO_MAX * landed_bytes
        self._members = 0
        self._bytes: dict[int, int] = {}

    def count(self, members: int) -> None:
        """Files that an archive holds; raises `TooMuch`."""
        self._members += members
        if self._members > MEMBERS_MAX:
            raise TooMuch(f"it holds {self._members:,} files and more, {MEMBERS_MAX:,} are read")

    def require(self, packed_bytes: int, unpacked_bytes: int, depth: int) -> None:
        """Raise `TooMuch` where so much may not come out of so little, or not out of this file any more."""
        left = self._bytes_max - self._bytes.get(depth, 0)
        if unpacked_bytes > min(FILE_BYTES_MAX, FREE_BYTES + RATIO_MAX * packed_bytes, left):
            raise TooMuch(f"{packed_bytes:,} bytes of it come to {unpacked_bytes:,} and more")

    def take(self, unpacked_bytes: int, depth: int) -> None:
        """Bytes that were unpacked; raises `TooMuch`."""
        taken = self._bytes[depth] = self._bytes.get(depth, 0) + unpacked_bytes
        if taken > self._bytes_max:
            raise TooMuch(f"what it holds comes to {taken:,} bytes and more")


def require_depth(depth: int) -> None:
    """Raise `FileRefused` for an archive in an archive in an archive, and so on."""
    if depth > DEPTH_MAX:
        raise FileRefused("too-deep", f"an archive at depth {depth}: {DEPTH_MAX} are opened, one in another")
