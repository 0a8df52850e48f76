"""JSON of our own objects (record, mark, verdict) and YAML of others: strict types, newer keys tolerated."""

from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
import msgspec.yaml

from kanfunc.domain.errors import PlatformFailed
from kanfunc.domain.lsn import Lsn

T = TypeVar("T")

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone; without one it could not be compared."""


_QUOTED = 200
"""Characters."""


class Malformed(ValueError):
    """The text is no JSON of the wanted shape; says where."""


def encode(value: object) -> str:
    """Compact JSON; positions in the log become strings such as "0/98E4300"."""
    return msgspec.json.encode(value, enc_hook=str).decode()


def decode(text: str, shape: type[T]) -> T:
    """Parse JSON into `shape`; raises Malformed."""
    try:
        return msgspec.json.decode(text, type=shape, dec_hook=_position)
    except RecursionError as error:  # also of what lies in keys that nobody reads
        raise Malformed("nested too deeply") from error
    except (msgspec.MsgspecError, PlatformFailed, UnicodeError, ValueError) as error:
        raise Malformed(str(error)) from error


def decode_yaml(text: str, shape: type[T]) -> T:
    """Parse YAML into `shape`; raises Malformed."""
    try:
        return msgspec.yaml.decode(text, type=shape)
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError) as error:
        raise Malformed(str(error)) from error


def short(text: str | None) -> str:
    """A value that somebody else wrote, as a message quotes it.

    >>> short("a"), len(short("b" * 10_000))
    ("'a'", 203)
    """
    return repr(text) if text is None or len(text) <= _QUOTED else repr(text[:_QUOTED]) + "…"


def plain(text: str) -> str:
    r"""On one line: who may name something must not be able to write lines of a report.

    >>> plain("a\n  ok  mark"), plain("Käse")
    ('a\\n  ok  mark', 'Käse')
    """
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _position(shape: type, value: Any) -> object:
    if shape is not Lsn or not isinstance(value, str):
        raise ValueError(f"{value!r} is no {shape.__name__}")
    return Lsn.parse(value)
