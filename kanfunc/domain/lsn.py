"""Positions in the write-ahead log."""

import re

from kanfunc.domain.errors import PlatformFailed


class Lsn(int):
    """A byte position in the write-ahead log (64 bit), written as PostgreSQL does.

    >>> Lsn.parse("0/98E4300")
    Lsn('0/98E4300')
    >>> str(Lsn(0x1_0000_0028)), Lsn.parse("1/0") > Lsn.parse("0/FFFFFFFF")
    ('1/28', True)
    >>> Lsn.parse("nonsense")
    Traceback (most recent call last):
        ...
    kanfunc.domain.errors.PlatformFailed: 'nonsense' is not a WAL position
      expected: two hexadecimal numbers with a slash between, as in 0/98E4300
      next: run the query or program that said so in the pod by hand and compare
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "Lsn":
        """Read PostgreSQL's notation; PlatformFailed when it is none."""
        halves = re.fullmatch(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})", text.strip())
        if not halves:
            raise PlatformFailed(
                f"{text!r} is not a WAL position",
                expected="two hexadecimal numbers with a slash between, as in 0/98E4300",
                remedy="run the query or program that said so in the pod by hand and compare",
            )
        return cls(int(halves[1], 16) << 32 | int(halves[2], 16))

    def __str__(self) -> str:
        return f"{self >> 32:X}/{self & 0xFFFFFFFF:X}"

    def __repr__(self) -> str:
        return f"Lsn('{self}')"
