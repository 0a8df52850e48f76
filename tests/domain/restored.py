"""A cluster restored from the fence of pg-2, under another UID: marks, verdicts, facts of its primary."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from kanfunc.domain.codec import encode
from kanfunc.domain.mark import Inscription, Mark, VerifiedMark
from kanfunc.domain.restoration import Adopted, adopted_of
from kanfunc.domain.timeline import PrimaryFacts
from kanfunc.domain.world import Cluster, Volume
from tests.builders import NOW, claim_manifest, healthy, proof
from tests.builders import cluster as read_cluster

RESTORED = "uid-of-the-restored"
TOLERANCE = timedelta(seconds=30)


def cluster() -> Cluster:
    """The restored Cluster: same name, another incarnation."""
    return replace(read_cluster(), uid=RESTORED)


def mark(**changes: Any) -> Mark:
    values: dict[str, Any] = {
        "id": "fence-1", "cluster_uid": "uid-cluster", "namespace": "prod", "cluster": "pg",
        "instance": "pg-2", "proof": proof(), "written": NOW, "kanfunc": "0.1.0",
    }  # fmt: skip
    return Mark(**{**values, **changes})


def volume(name: str, role: str = "PG_DATA") -> Volume:
    """A restored claim, made at 09:10:00."""
    from_manifest = Volume.from_manifest(claim_manifest(name, "pg-2", role=role), read_cluster().flavour)
    return replace(from_manifest, created=NOW + timedelta(minutes=10))


DATA, WAL = volume("pg-2"), volume("pg-2-wal", "PG_WAL")
INSTANCE = healthy().world().instances[1]


def verdict(**changes: Any) -> VerifiedMark:
    values: dict[str, Any] = {
        "mark": mark(), "cluster_uid": RESTORED, "volumes": {v.name: v.uid for v in (DATA, WAL)},
        "continued": NOW + timedelta(minutes=11), "verified": NOW + timedelta(minutes=12),
    }  # fmt: skip
    return VerifiedMark(**{**values, **changes})


def adopted_with(value: Mark) -> Adopted:
    return Adopted(INSTANCE, (DATA, WAL), value, None)


def adopt(data: Inscription, wal: Inscription) -> Adopted | None:
    return adopted_of(cluster(), INSTANCE, (DATA, WAL), {"pg-2": data, "pg-2-wal": wal})


def marked(value: Mark | None = None) -> Inscription:
    return Inscription(mark=encode(value or mark()))


def verified(value: VerifiedMark | None = None) -> Inscription:
    return Inscription(verdict=encode(value or verdict()))


def facts(**changes: Any) -> PrimaryFacts:
    values: dict[str, Any] = {
        "system_identifier": "7711300797202939188", "timeline": 2, "xid_status": "committed",
        "history": "1\t0/98E4300\tno recovery target specified\n",
    }  # fmt: skip
    return PrimaryFacts(**{**values, **changes})
