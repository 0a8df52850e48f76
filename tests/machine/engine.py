"""PostgreSQL of one instance as its volumes know it, and copies of that."""

import copy
from dataclasses import dataclass, field
from datetime import datetime

from kanfunc.domain.coldness import COLD_STANDBY, Control, Segment, WalTail
from kanfunc.domain.lsn import Lsn

SYSTEM_IDENTIFIER = "7711300797202939188"
START, STEP = 0x3000100, 0x100
SEGMENT = 16 * 1024 * 1024


@dataclass
class Engine:
    """Files of one instance. `position`: end of its WAL. `starts`: how often pg_control was written."""

    running: bool = True
    clean: bool = True
    position: int = START
    timeline: int = 1
    starts: int = 0
    marks: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    history: list[tuple[int, int, datetime]] = field(default_factory=list)
    """Timeline that was left, where, and when."""

    def start(self) -> None:
        if not self.running:
            self.running, self.starts = True, self.starts + 1

    def stop(self, *, clean: bool = True) -> None:
        if self.running:
            self.running, self.clean, self.starts = False, clean, self.starts + 1

    def promote(self, at: datetime) -> None:
        self.history.append((self.timeline, self.position, at))
        self.timeline += 1

    @property
    def digest(self) -> str:
        return f"digest-{self.starts}"

    @property
    def control(self) -> Control:
        return Control(
            state=COLD_STANDBY if self.clean else "in archive recovery",
            system_identifier=SYSTEM_IDENTIFIER,
            checkpoint=Lsn(START),
            minimum_recovery=Lsn(self.position),
            timeline=self.timeline,
            segment_size=SEGMENT,
            page_size=8192,
            version="1300",
        )

    @property
    def tail(self) -> WalTail:
        return WalTail(Segment.BEGUN, "", "could not find a valid record after", "")

    def copied(self) -> "Engine":
        """A snapshot of the files as they are."""
        return copy.deepcopy(self)
