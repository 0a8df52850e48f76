"""One instance of a cluster: its volumes, its pod and its PostgreSQL."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from tests.lab.apiserver import PVCS
from tests.lab.certificates import InstanceTls
from tests.lab.operator.manifests import Mount, volumes
from tests.lab.operator.names import PG_DATA, PG_TABLESPACE, PG_WAL, Manifest
from tests.lab.operator.runtime import Runtime
from tests.lab.postgres import Server

STANDBY_SIGNAL = "standby.signal"


@dataclass(frozen=True)
class Settings:
    """What a Cluster's spec says of its PostgreSQL. They hold from the next start on.

    `archive` is where WAL is written, and asked for in recovery; `parameters` are those of spec.postgresql.
    """

    archive: Path | None
    parameters: Mapping[str, str]

    @classmethod
    def of(cls, cluster: Manifest, archives: Path) -> Self:
        """A plugin that archives goes before the operator's own archive, as CloudNativePG asks them."""
        spec = cluster["spec"]
        stores = [
            plugin["parameters"]["barmanObjectName"]
            for plugin in spec.get("plugins") or []
            if plugin.get("isWALArchiver") and plugin.get("enabled", True)
        ]
        name = stores[0] if stores else (spec.get("backup") or {}).get("archive")
        parameters = (spec.get("postgresql") or {}).get("parameters") or {}
        return cls(archives / name if name else None, parameters)


class Instance:
    """PostgreSQL of one instance on the volumes of its claims; `mounts` are these as its pod shows them."""

    def __init__(self, name: str, server: Server, mounts: Sequence[Mount], claim_uids: Sequence[str]) -> None:
        self.name = name
        self.server = server
        self.mounts = mounts
        self.claim_uids = claim_uids
        self.pod_uid: str | None = None
        self._stopped_at: float | None = None

    @classmethod
    def attach(cls, runtime: Runtime, cluster: Manifest, name: str, tls: InstanceTls) -> Self:
        """Attach to the claims of the instance, which exist; new ones get their empty volumes."""
        namespace = cluster["metadata"]["namespace"]
        claims = {
            volume: runtime.store.get(PVCS, namespace, volume.claim(name)) for volume in volumes(cluster)
        }
        paths = {volume: runtime.storage.provision(claim) for volume, claim in claims.items()}
        by_role = {volume.role: path for volume, path in paths.items()}
        server = Server(
            runtime.workspace,
            runtime.binaries,
            name=name,
            volume=by_role[PG_DATA],
            wal_volume=by_role.get(PG_WAL),
            tablespaces={volume.name: path for volume, path in paths.items() if volume.role == PG_TABLESPACE},
            tls=tls,
        )
        mounts = [Mount(volume, volume.claim(name), str(path)) for volume, path in paths.items()]
        return cls(name, server, mounts, [claim["metadata"]["uid"] for claim in claims.values()])

    def lead(self, settings: Settings) -> None:
        """Run as the primary; a standby, or a volume that was one, is promoted to a new timeline."""
        is_standby = (self.server.pgdata / STANDBY_SIGNAL).exists()
        if not self.server.running:
            self.server.configure(archive=settings.archive, parameters=settings.parameters)
            self.server.start(standby=is_standby)
        if is_standby:
            self.server.promote()

    def follow(self, primary: Self | None, settings: Settings) -> None:
        """Run as a standby that streams from the primary, where there is one."""
        upstream = primary.server if primary else None
        self.server.configure(upstream=upstream, archive=settings.archive, parameters=settings.parameters)
        self.server.start(standby=True)

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop PostgreSQL if it runs."""
        if self.server.running:
            self.server.stop(mode)
            self._stopped_at = time.monotonic()

    def position(self) -> int:
        """End of the WAL, in bytes, that a running primary has flushed or a running standby has replayed."""
        [(end,)] = self.server.sql(
            "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
            " ELSE pg_current_wal_flush_lsn() END - '0/0'"
        )
        return int(end)

    def received_by_standbys(self) -> dict[str, int]:
        """End of the WAL that each standby streaming from this primary has flushed, in bytes."""
        rows = self.server.sql(
            "SELECT application_name, flush_lsn - '0/0' FROM pg_stat_replication WHERE state = 'streaming'"
        )
        return {name: int(end) for name, end in rows if end is not None}

    def replace_pod(self, uid: str) -> None:
        """Note the pod; one that replaces another restarts PostgreSQL and has not been ready before."""
        if self.pod_uid not in {None, uid}:
            self.stop()
            self._stopped_at = None
        self.pod_uid = uid

    def is_ready(self, lag: float) -> bool:
        """What the pod's readiness says: it is `lag` seconds late when PostgreSQL has stopped."""
        if self.server.running:
            return True
        return self._stopped_at is not None and time.monotonic() - self._stopped_at < lag
