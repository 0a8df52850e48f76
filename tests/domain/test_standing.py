"""What the watchdog makes of an instance after its fence."""

import pytest

from kanfunc.domain.lsn import Lsn
from kanfunc.domain.record import State
from kanfunc.domain.replication import Replication, Standby
from kanfunc.domain.standing import concerns_us, is_back, is_protected
from tests.builders import ADDONS, Scene, cluster, healthy, record
from tests.domain.spoiling import Spoil, both, spec, status, without


def said(*streaming: str) -> Replication:
    standbys = [
        Standby(name=name, state="streaming", sync_state="async", replay_lsn=Lsn(1)) for name in streaming
    ]
    return Replication(in_recovery=False, system_identifier="7", standbys=tuple(standbys))


def untouched(_: Scene) -> None: ...


def not_ready(scene: Scene) -> None:
    scene.pods["pg-2"]["status"] = {"conditions": [{"type": "Ready", "status": "False"}]}


LEADS = both(status("currentPrimary", "pg-2"), status("targetPrimary", "pg-2"))


@pytest.mark.parametrize(
    ("spoil", "replication", "back"),
    [
        (untouched, said("pg-2", "pg-3"), True),
        (untouched, said("pg-3"), False),
        (untouched, None, False),
        (without("pod/pg-2"), said("pg-3"), False),
        (both(without("pod/pg-2"), spec("instances", 2)), said("pg-3"), True),
        (LEADS, None, True),
        (both(LEADS, not_ready), None, False),
    ],
    ids=["streams", "does not", "nobody says", "no pod", "scaled away", "leads", "leads and is not ready"],
)
def test_is_back(spoil: Spoil, replication: Replication | None, back: bool) -> None:  # noqa: FBT001 - a table
    scene = healthy()
    spoil(scene)
    assert is_back(scene.world(), record(State.ENDED), replication) is back


@pytest.mark.parametrize(
    ("addons", "ours"),
    [
        ('["kasten"]', True), ('["external-backup-adapter-cluster"]', True), ("[kasten", True),
        ('["velero"]', False), ("[]", False),
    ],
)  # fmt: skip
def test_who_asks_to_be_backed_up(addons: str, ours: bool) -> None:  # noqa: FBT001 - a table
    assert is_protected(cluster({ADDONS: addons})) is ours
    assert concerns_us(cluster({ADDONS: addons})) is ours
