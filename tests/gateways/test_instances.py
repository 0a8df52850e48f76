"""Answers are scripted here; what the scripts do to files is real. PostgreSQL is the lab's matter."""

import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kanfunc.domain.coldness import Segment, WalTail
from kanfunc.domain.errors import ExecCut, ExecFailed, KanfuncError
from kanfunc.domain.facts import Bound, Replay
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.mark import MARK_FILE, VERDICT_FILE, Inscription
from kanfunc.domain.replication import Replication, Standby
from kanfunc.domain.timeline import PrimaryFacts, Switch
from kanfunc.domain.world import Instance, Volume
from kanfunc.gateways.instances import PodInstances
from kanfunc.gateways.podexec import PodExec
from tests.builders import REF, claim_manifest, pod_manifest
from tests.builders import cluster as read_cluster
from tests.gateways.conftest import Containers
from tests.lab.apiserver import ApiServer, ExecRequest, Reply, Spawn

VERSION = "pg_controldata (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
GOLDEN = (Path(__file__).parents[1] / "domain" / "pg_controldata-15.txt").read_text(encoding="utf-8")
Answer = Callable[[str], None]


@pytest.fixture
def shell(pods: PodExec) -> PodInstances:
    return PodInstances(pods)


@pytest.fixture
def answer(containers: Containers) -> Answer:
    """Let the next commands print this."""

    def answer(text: str) -> None:
        def script(_: ExecRequest) -> Reply:
            return Reply(0, text)

        containers.script = script

    return answer


def sections(**texts: str) -> str:
    return "".join(f"\n--kanfunc:{name}\n{text}\n" for name, text in texts.items())


# ---- answers


def test_replication_is_read(shell: PodInstances, answer: Answer) -> None:
    answer(
        '{"in_recovery" : false, "system_identifier" : "7", "standbys" : [{"name" : "pg-2", "state" : '
        '"streaming", "sync_state" : "async", "replay_lsn" : "0/1"}, {"name": "x", "state": "backup", '
        '"sync_state": "", "replay_lsn": null, "new": 1}]}\n'
    )
    found = shell.replication(REF, "pg-1")
    assert found == Replication(
        in_recovery=False,
        system_identifier="7",
        standbys=(
            Standby(name="pg-2", state="streaming", sync_state="async", replay_lsn=Lsn(1)),
            Standby(name="x", state="backup", sync_state=""),
        ),
    )
    assert list(found.streaming) == ["pg-2"]


def test_bound_is_read(shell: PodInstances, answer: Answer) -> None:
    answer("725\n0/3026960\n0/30269C8\n")
    assert shell.emit_bound(REF, "pg-1", "fence-1") == Bound("725", Lsn(0x30269C8))


@pytest.mark.parametrize(
    ("text", "replay"),
    [
        ("t|0/30269C8|0\n", Replay(reached=True, position=Lsn(0x30269C8), behind_seconds=0.0)),
        ("f|0/3000000|12.5\n", Replay(reached=False, position=Lsn(0x3000000), behind_seconds=12.5)),
    ],
)
def test_replay_is_read(shell: PodInstances, answer: Answer, text: str, replay: Replay) -> None:
    answer(text)
    assert shell.await_replay(REF, "pg-2", Lsn(0x30269C8), 5) == replay


def test_stopped_instance_is_read(shell: PodInstances, answer: Answer) -> None:
    texts = {
        "control": GOLDEN,
        "complaint": "pg_waldump: error: x\n",
        "record": "rmgr: Heap",
        "segment": "begun",
    }
    answer(sections(**texts, newest="000000010000000000000003", version=VERSION, digest="c0ffee"))
    found = shell.await_stopped(REF, "pg-2", 5)
    assert found.control.state == "shut down in recovery"
    assert found.digest == "c0ffee"
    assert found.version == "15.18 (Debian 15.18-0+deb12u1)"
    assert found.wal == WalTail(
        Segment.BEGUN, "rmgr: Heap", "pg_waldump: error: x", "000000010000000000000003"
    )


def test_facts_of_the_primary_are_read(shell: PodInstances, answer: Answer) -> None:
    facts = '{"system_identifier" : "7", "timeline" : 2, "xid_status" : null}'
    answer(sections(facts=facts, history="1\t0/98E4300\tno recovery target specified"))
    assert shell.primary_facts(REF, "pg-1", "725") == PrimaryFacts(
        system_identifier="7",
        timeline=2,
        xid_status=None,
        history="1\t0/98E4300\tno recovery target specified",
    )


def test_what_acts_by_itself_is_read(shell: PodInstances, answer: Answer) -> None:
    server = (
        '{"workers" : 4, "libraries" : "pg_cron", "strangers" : [], "closed" : {"count" : 0, "first" : []},'
        ' "subscriptions" : {"count" : 12, "enabled" : 1, "first" : [{"name" : "s", "database" : "app",'
        ' "enabled" : true, "working" : false}]}}'
    )
    lines = '{"database" : "a", "extensions" : ["pg_cron"]}\n{"database" : "b", "reason" : "no"}'
    answer(sections(server=server, databases=lines, counts='{"acting": 1, "unseen": 2}'))
    found = shell.activity(REF, "pg-1")
    assert (found.subscriptions.count, found.subscriptions.first[0].enabled) == (12, True)
    assert [(each.extensions, each.reason) for each in found.databases] == [(("pg_cron",), ""), ((), "no")]
    assert (found.acting, found.unseen) == (1, 2)
    answer(sections(server=server, databases="", counts="{}"))
    with pytest.raises(ExecFailed, match="cannot be read"):
        shell.activity(REF, "pg-1")


def test_traces_of_the_promotion_are_read(shell: PodInstances, answer: Answer) -> None:
    answer(sections(record="", history="1795424400"))
    assert shell.promotion(REF, "pg-2", Switch(Lsn(1), 2)).at == datetime(2026, 11, 23, 9, tzinfo=UTC)
    answer(sections(record="", history=""))
    assert shell.promotion(REF, "pg-2", Switch(Lsn(1), 2)).at is None


@pytest.mark.parametrize(("text", "yes"), [("yes\n", True), ("no\n", False), ("", False)])
def test_waits_say_yes_or_no(shell: PodInstances, answer: Answer, text: str, *, yes: bool) -> None:
    answer(text)
    assert shell.await_writable(REF, "pg-1", 1) is yes
    assert shell.await_streaming(REF, "pg-1", "pg-2", 1, caught_up=True) is yes


BOUND, SWITCH = Lsn(1), Switch(Lsn(1), 2)


@pytest.mark.parametrize("text", ["", "junk", "a b c"])
@pytest.mark.parametrize(
    "ask",
    [
        lambda shell: shell.replication(REF, "pg-1"),
        lambda shell: shell.emit_bound(REF, "pg-1", "fence-1"),
        pytest.param(lambda shell: shell.await_replay(REF, "pg-2", BOUND, 1)),
        pytest.param(lambda shell: shell.await_stopped(REF, "pg-2", 1)),
        pytest.param(lambda shell: shell.primary_facts(REF, "pg-1", "1")),
        pytest.param(lambda shell: shell.promotion(REF, "pg-2", SWITCH)),
        pytest.param(lambda shell: shell.activity(REF, "pg-1")),
    ],
    ids=["replication", "bound", "replay", "stopped", "facts", "promotion", "activity"],
)
def test_unreadable_answer_is_a_failure(
    shell: PodInstances, answer: Answer, ask: Callable[[PodInstances], Any], text: str
) -> None:
    answer(text)
    with pytest.raises(KanfuncError):
        ask(shell)


# ---- files in the volumes


class Volumes:
    """An instance with two volumes, which are folders; PGDATA is in the first."""

    def __init__(self, folder: Path) -> None:
        self.roots = [folder / "data", folder / "wal's $(root)"]
        for root in self.roots:
            root.mkdir()
        self.control = self.roots[0] / "pgdata" / "global" / "pg_control"
        self.control.parent.mkdir(parents=True)
        self.control.write_bytes(b"control")
        mounts = {"pg-2": str(self.roots[0]), "pg-2-wal": str(self.roots[1])}
        flavour = read_cluster().flavour
        self.instance = Instance.from_manifest(pod_manifest("pg-2", claims=mounts))
        self.all = tuple(Volume.from_manifest(claim_manifest(name, "pg-2"), flavour) for name in mounts)

    def files(self) -> list[list[str]]:
        """Names in each root, PGDATA left out."""
        return [
            sorted(entry.name for entry in root.iterdir() if entry.name != "pgdata") for root in self.roots
        ]


@pytest.fixture
def volumes(tmp_path: Path) -> Volumes:
    return Volumes(tmp_path)


TEXT = '{"id":"fence-1","text":"$(x) `y` \'z\' \\"é\\" %s \\\\n"}'


def test_inscription_is_read_back_from_every_volume(shell: PodInstances, volumes: Volumes) -> None:
    shell.inscribe(REF, volumes.instance, volumes.all, MARK_FILE, TEXT)
    found = shell.inspect(REF, volumes.instance, volumes.all)
    assert found.files == {"pg-2": Inscription(mark=TEXT), "pg-2-wal": Inscription(mark=TEXT)}
    assert volumes.files() == [[MARK_FILE], [MARK_FILE]]


class Cutting:
    """Resets the connection of the first commands; `asked` counts all."""

    def __init__(self, containers: Containers, server: ApiServer, cuts: int) -> None:
        self.asked = 0
        self._containers, self._server, self._cuts = containers, server, cuts
        containers.script = self

    def __call__(self, request: ExecRequest) -> Spawn | Reply:
        self.asked += 1
        if self.asked <= self._cuts:
            self._server.cut_execs()
        return self._containers.spawn(request)


def test_a_look_that_was_cut_is_repeated_once(
    shell: PodInstances, volumes: Volumes, containers: Containers, server: ApiServer
) -> None:
    cutting = Cutting(containers, server, 1)
    assert not shell.inspect(REF, volumes.instance, volumes.all).running
    assert cutting.asked == 2
    cutting = Cutting(containers, server, 9)
    with pytest.raises(ExecCut):
        shell.inspect(REF, volumes.instance, volumes.all)
    assert cutting.asked == 2


def test_a_write_that_was_cut_is_not_repeated(
    shell: PodInstances, volumes: Volumes, containers: Containers, server: ApiServer
) -> None:
    cutting = Cutting(containers, server, 1)
    with pytest.raises(ExecCut):
        shell.inscribe(REF, volumes.instance, volumes.all, MARK_FILE, TEXT)
    assert cutting.asked == 1


def test_inscription_replaces_what_was_there(shell: PodInstances, volumes: Volumes) -> None:
    for text in ("{}" * 100, TEXT):
        shell.inscribe(REF, volumes.instance, volumes.all, VERDICT_FILE, text)
    found = shell.inspect(REF, volumes.instance, volumes.all[:1])
    assert found.files == {"pg-2": Inscription(verdict=TEXT)}


def test_inscription_of_many_pieces_is_read_back(shell: PodInstances, volumes: Volumes) -> None:
    """One command has no room for it."""
    text = "{'a%20\\n\"'}" * 1_500
    shell.inscribe(REF, volumes.instance, volumes.all, VERDICT_FILE, text)
    found = shell.inspect(REF, volumes.instance, volumes.all)
    assert found.files == {volume.name: Inscription(verdict=text) for volume in volumes.all}
    assert volumes.files() == [[VERDICT_FILE], [VERDICT_FILE]]


def test_volume_that_cannot_be_written_is_a_failure(shell: PodInstances, volumes: Volumes) -> None:
    volumes.roots[1].rmdir()
    with pytest.raises(ExecFailed, match="root"):
        shell.inscribe(REF, volumes.instance, volumes.all, MARK_FILE, TEXT)


def test_digest_changes_with_the_control_file(shell: PodInstances, volumes: Volumes) -> None:
    before = shell.inspect(REF, volumes.instance, volumes.all).digest
    assert before.startswith(hashlib.sha256(b"control").hexdigest())
    assert shell.inspect(REF, volumes.instance, volumes.all).digest == before
    volumes.control.write_bytes(b"other")
    assert shell.inspect(REF, volumes.instance, volumes.all).digest != before


def test_digest_tells_a_start_that_left_the_same_bytes(shell: PodInstances, volumes: Volumes) -> None:
    """The times in pg_control are whole seconds: started and stopped within one, it is the same again."""
    before = shell.inspect(REF, volumes.instance, volumes.all).digest
    written = volumes.control.stat().st_mtime_ns
    os.utime(volumes.control, ns=(written, written + 5_000_000))
    assert shell.inspect(REF, volumes.instance, volumes.all).digest != before


def test_postmaster_that_has_left_its_file_counts_as_running(shell: PodInstances, volumes: Volumes) -> None:
    assert not shell.inspect(REF, volumes.instance, volumes.all).running
    (volumes.roots[0] / "pgdata" / "postmaster.pid").touch()
    assert shell.inspect(REF, volumes.instance, volumes.all).running


def test_instance_without_control_file_is_a_failure(shell: PodInstances, volumes: Volumes) -> None:
    volumes.control.unlink()
    with pytest.raises(ExecFailed):
        shell.inspect(REF, volumes.instance, volumes.all)


def test_only_marks_of_that_fence_are_erased(shell: PodInstances, volumes: Volumes) -> None:
    shell.inscribe(REF, volumes.instance, volumes.all[:1], MARK_FILE, TEXT)
    shell.inscribe(REF, volumes.instance, volumes.all[1:], MARK_FILE, '{"id":"fence-11"}')
    shell.inscribe(REF, volumes.instance, volumes.all, VERDICT_FILE, TEXT)
    shell.erase_marks(REF, volumes.instance, volumes.all, "fence-1")
    assert volumes.files() == [[VERDICT_FILE], [MARK_FILE, VERDICT_FILE]]
    shell.erase_marks(REF, volumes.instance, volumes.all, "fence-1")
    assert volumes.files() == [[VERDICT_FILE], [MARK_FILE, VERDICT_FILE]]
