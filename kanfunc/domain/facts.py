"""What is measured inside instances."""

from collections.abc import Mapping
from dataclasses import dataclass

from kanfunc.domain.coldness import Control, WalTail
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.mark import Inscription


@dataclass(frozen=True)
class Bound:
    """Our own transaction on the primary: everything committed before it lies before `flushed`.

    replay_seconds: how long the elected replica took to replay it.
    """

    xid: str
    flushed: Lsn
    replay_seconds: float | None = None


@dataclass(frozen=True)
class Replay:
    """How far a standby has replayed; `behind_seconds` since the newest transaction it knows."""

    reached: bool
    position: Lsn
    behind_seconds: float


@dataclass(frozen=True)
class Stopped:
    """What a stopped instance's files say."""

    control: Control
    wal: WalTail
    digest: str
    version: str = ""
    """Of PostgreSQL's programs."""


@dataclass(frozen=True)
class Inspection:
    """State of an instance's files: is a postmaster there, digest of pg_control, files of ours by claim."""

    running: bool
    digest: str
    files: Mapping[str, Inscription]
