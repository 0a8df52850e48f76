"""The regular expressions of checks, by RE2: linear in the length of the value, and limited in memory.

Python's own takes exponential time on some pairs of pattern and value, and the values are the database's.
"""

from typing import Any

LONGEST_PATTERN = 1000
"""Characters. Time is at most the product of both lengths: tenths of a second."""
LONGEST_VALUE = 10_000
"""Characters; a longer value does not match."""
_MEMORY = 2 << 20


def compiled(text: str) -> Any:
    """The expression; ValueError where RE2 does not take it."""
    import re2  # noqa: PLC0415 - no other command pays for it

    options = re2.Options()
    options.dot_nl, options.never_capture, options.log_errors = True, True, False
    options.max_mem = _MEMORY
    try:
        return re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise ValueError(
            reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        ) from error


def fits(text: str, value: str) -> bool:
    """Whether the expression takes the whole value.

    >>> fits("a.*", "a b"), fits("a", "ab"), fits("(a+)+b", "a" * 10_000)
    (True, False, False)
    """
    if len(value) > LONGEST_VALUE:
        return False
    try:
        return bool(compiled(text).fullmatch(value))
    except UnicodeEncodeError:  # no text that PostgreSQL could hold
        return False
