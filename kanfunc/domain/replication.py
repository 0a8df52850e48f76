"""What a primary says of its role and its standbys."""

import msgspec

from kanfunc.domain.lsn import Lsn


class Standby(msgspec.Struct, frozen=True, kw_only=True):
    """A row of pg_stat_replication."""

    name: str
    state: str
    sync_state: str
    replay_lsn: Lsn | None = None


class Replication(msgspec.Struct, frozen=True, kw_only=True):
    """What the primary itself says."""

    in_recovery: bool
    system_identifier: str
    standbys: tuple[Standby, ...]
    flushed: Lsn | None = None
    """How far its WAL is on disk; None in recovery."""

    @property
    def streaming(self) -> dict[str, Lsn]:
        """How far those have replayed that receive WAL now, by name."""
        return {
            standby.name: standby.replay_lsn or Lsn(0)
            for standby in self.standbys
            if standby.state == "streaming"
        }
