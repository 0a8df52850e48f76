"""Reading the file of checks, every fault of it named by its line."""

from hashlib import sha256

from kanfunc.domain.checks import Checks
from kanfunc.domain.codec import Malformed
from kanfunc.domain.errors import Refused
from kanfunc.domain.strictyaml import read_strict

LONGEST = 1_000_000
"""Bytes; a ConfigMap holds hardly more."""


def read_checks(text: bytes, source: str) -> tuple[Checks, str]:
    """The checks, and the SHA-256 of their text; Refused with file and line where it is not what is read."""
    if len(text) > LONGEST:
        raise Refused(f"{source} is too long", expected=f"at most {LONGEST} bytes", remedy="shorten it")
    try:
        return read_strict(text.decode(), Checks), sha256(text).hexdigest()
    except (Malformed, UnicodeError) as error:
        raise Refused(
            f"{source}, {error}",
            expected="a file of checks as docs/checks.md describes it, in UTF-8",
            remedy="correct the file; no check was made",
        ) from error
