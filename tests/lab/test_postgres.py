import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import binaries
from tests.lab.binaries import Binaries
from tests.lab.certificates import Authority
from tests.lab.postgres import Server
from tests.lab.workspace import LabError, Workspace

pytestmark = pytest.mark.lab

OWNER = """
import json, sys
from tests.lab.test_postgres import Site, postmaster
from tests.lab.workspace import Workspace
site = Site(Workspace.open())
number = postmaster(site.primary)
maps = site.workspace.run(["cat", f"/proc/{number}/maps"])
left = {"path": str(site.workspace.path), "postmaster": number, "maps": maps}
print(json.dumps(left), flush=True)
sys.stdin.read()
"""


class Site:
    """A running primary, and a place for more servers of the same cluster."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.binaries = Binaries.find(workspace)
        self.volumes = workspace.directory("volumes")
        self.authority = Authority.create()
        self.servers: list[Server] = []
        self.primary = self.server("pg-1")
        self.primary.initdb()
        self.primary.configure()
        self.primary.start(standby=False)
        self.primary.create_roles()

    def server(self, name: str, *, wal: bool = False) -> Server:
        server = Server(
            self.workspace,
            self.binaries,
            name=name,
            volume=self.volumes / name,
            wal_volume=self.volumes / f"{name}-wal" if wal else None,
            tls=self.authority.instance(["pg-rw", "127.0.0.1"]),
        )
        self.servers.append(server)
        return server

    def replica(self, name: str, *, wal: bool = False) -> Server:
        server = self.server(name, wal=wal)
        server.clone_from(self.primary)
        server.configure(upstream=self.primary)
        server.start(standby=True)
        return server

    def copy(self, original: Server, name: str) -> Server:
        """Copy the volumes of a server, as a snapshot does."""
        for source in filter(None, (original.volume, original.wal_volume)):
            target = self.volumes / source.name.replace(original.name, name)
            subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)
        return self.server(name, wal=original.wal_volume is not None)


@pytest.fixture(scope="module")
def shared_site() -> Iterator[Site]:
    with Workspace.open() as workspace:
        yield Site(workspace)


@pytest.fixture
def site(shared_site: Site) -> Iterator[Site]:
    """The module's primary; what a test starts beside it does not slow down the next one."""
    yield shared_site
    for server in shared_site.servers[1:]:
        server.stop("immediate")


def wait_until(server: Server, condition: str) -> None:
    """Wait inside the server, for at most 30 s, until a condition on views holds."""
    server.sql(
        f"DO $$ BEGIN FOR i IN 1..3000 LOOP IF {condition} THEN RETURN; END IF; "
        "PERFORM pg_sleep(0.01), pg_stat_clear_snapshot(); END LOOP; RAISE 'timed out'; END $$"
    )


def postmaster(server: Server) -> int:
    return int((server.pgdata / "postmaster.pid").read_text().split()[0])


def test_two_replicas_stream_over_tls(site: Site) -> None:
    replicas = site.replica("pg-2"), site.replica("pg-3", wal=True)
    site.primary.sql("SELECT pg_logical_emit_message(true, 'lab', 'x')")
    [(lsn,)] = site.primary.sql("SELECT pg_current_wal_flush_lsn()")
    for replica in replicas:
        wait_until(replica, f"pg_last_wal_replay_lsn() >= '{lsn}'")
    streaming = site.primary.sql(
        "SELECT application_name, usename, state, ssl FROM pg_stat_replication JOIN pg_stat_ssl USING (pid)"
        " ORDER BY 1"
    )
    assert streaming == [(each.name, "streaming_replica", "streaming", True) for each in replicas]
    assert [each.sql("SELECT pg_is_in_recovery()") for each in replicas] == [[(True,)], [(True,)]]


def test_the_wal_volume_holds_the_wal(site: Site) -> None:
    replica = site.replica("with-wal", wal=True)
    assert (replica.pgdata / "pg_wal").readlink() == site.volumes / "with-wal-wal" / "pg_wal"
    assert list((site.volumes / "with-wal-wal" / "pg_wal").glob("0000*"))


def test_a_fast_stop_leaves_a_clean_standby(site: Site) -> None:
    replica = site.replica("clean")
    replica.stop("fast")
    assert not replica.running
    assert replica.controldata()["Database cluster state"] == "shut down in recovery"
    replica.start(standby=True)
    assert replica.running


def test_an_immediate_stop_does_not(site: Site) -> None:
    replica = site.replica("dirty")
    replica.stop("immediate")
    assert replica.controldata()["Database cluster state"] == "in archive recovery"


def test_stopping_twice_is_harmless(site: Site) -> None:
    replica = site.replica("twice")
    replica.stop()
    replica.stop()
    assert not replica.running


@pytest.mark.parametrize("wal", [False, True])
def test_a_copied_volume_starts_elsewhere_and_is_promoted(site: Site, *, wal: bool) -> None:
    [(xid,)] = site.primary.sql(
        "SELECT pg_current_xact_id()::text FROM pg_logical_emit_message(true, 'lab', 'x')"
    )
    replica = site.replica(f"original-{wal}", wal=wal)
    replica.stop()
    copy = site.copy(replica, f"copy-{wal}")
    copy.configure()
    copy.start(standby=True)
    assert copy.sql("SELECT pg_is_in_recovery()") == [(True,)]
    copy.promote()
    query = "SELECT pg_is_in_recovery(), pg_xact_status(%s::xid8)"
    assert copy.sql(query, xid) == [(False, "committed")]
    assert copy.sql("SELECT count(*) FROM pg_ls_waldir() WHERE name = '00000002.history'") == [(1,)]
    identifier = "SELECT system_identifier FROM pg_control_system()"
    assert copy.sql(identifier) == site.primary.sql(identifier)


def test_a_hot_copy_starts_beside_its_running_original(site: Site) -> None:
    hot = site.copy(site.primary, "hot")
    hot.configure()
    hot.start(standby=False)
    assert hot.running
    assert site.primary.running


def test_a_copy_replays_beyond_its_own_end_from_an_archive(site: Site) -> None:
    archive = site.volumes / "archive"
    replica = site.replica("archived")
    replica.stop()
    copy = site.copy(replica, "archived-copy")
    replica.configure(upstream=site.primary, archive=archive)
    replica.start(standby=True)
    replica.promote()
    [(segment,)] = replica.sql("SELECT pg_walfile_name(pg_switch_wal())")
    wait_until(replica, f"EXISTS (SELECT FROM pg_stat_archiver WHERE last_archived_wal >= '{segment}')")
    copy.configure(archive=archive)
    copy.start(standby=True)
    assert {each.name for each in archive.iterdir()} >= {segment, "00000002.history"}
    wait_until(copy, "EXISTS (SELECT FROM pg_ls_waldir() WHERE name = '00000002.history')")
    copy.promote()
    [(history,)] = copy.sql("SELECT pg_read_file('pg_wal/00000003.history')")
    assert [line.split("\t")[0] for line in history.splitlines() if line] == ["1", "2"]


def test_the_port_stays_reserved_while_the_server_is_stopped(site: Site) -> None:
    replica = site.replica("stopped")
    replica.stop()
    with socket.socket() as other, pytest.raises(OSError, match="Address already in use"):
        other.bind(("127.0.0.1", replica.port))
    replica.start(standby=True)
    assert replica.sql("SHOW port") == [(str(replica.port),)]


def test_a_process_in_the_pod_reaches_its_own_server_as_superuser(site: Site) -> None:
    script = 'psql -U postgres -Atc "SHOW data_directory"; pg_controldata | head -1'
    data_directory, control = site.workspace.run(
        ["sh", "-c", script], site.primary.environment()
    ).splitlines()
    assert data_directory == str(site.primary.pgdata)
    assert control.startswith("pg_control version number:")


def test_the_replication_role_is_refused_without_tls(site: Site) -> None:
    with pytest.raises(LabError, match="no encryption"):
        site.workspace.run(
            ["pg_basebackup", "-D", site.volumes / "never", "-h", "127.0.0.1", "-U", "streaming_replica"],
            site.primary.environment() | {"PGSSLMODE": "disable"},
        )


def test_a_server_that_cannot_start_says_why(site: Site) -> None:
    broken = site.copy(site.primary, "broken")
    broken.configure()
    with (broken.pgdata / "postgresql.auto.conf").open("a") as settings:
        settings.write("shared_buffers = 'plenty'\n")
    with pytest.raises(LabError, match='invalid value for parameter "shared_buffers"'):
        broken.start(standby=False)
    assert not broken.running


def test_a_killed_server_is_not_running_and_starts_again(site: Site) -> None:
    replica = site.replica("killed")
    number = postmaster(replica)
    with os.fdopen(os.pidfd_open(number)) as ended:
        os.kill(number, signal.SIGKILL)
        select.select([ended], [], [])
    assert not replica.running
    assert (replica.pgdata / "postmaster.pid").exists()
    replica.start(standby=True)  # which also removes the shared memory that the kill left
    assert replica.running


def test_incomplete_binaries_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "postgres").touch()
    monkeypatch.setenv("KANFUNC_LAB_PG_BIN", str(tmp_path))
    with Workspace.open() as workspace, pytest.raises(LabError, match="lacks initdb, pg_basebackup"):
        Binaries.find(workspace)


def test_a_version_that_cannot_be_had_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is downloaded must be what was pinned."""
    monkeypatch.setattr(binaries, "SYSTEM", tmp_path)
    monkeypatch.setattr(binaries, "CACHE", tmp_path / "cache")
    monkeypatch.setitem(binaries.DOWNLOADS, 14, ("14.23.0", "0" * 64))
    with (
        Workspace.open() as workspace,
        pytest.raises(LabError, match=r"14\.23\.0 cannot be downloaded"),
    ):
        Binaries.of(workspace, 14)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_killed_owner_leaves_neither_process_nor_file_nor_shared_memory() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as owner:
        assert owner.stdout is not None
        left = json.loads(owner.stdout.readline())
        process = Path("/proc", str(left["postmaster"]))
        assert process.name in shared_memory_creators()
        assert "PostgreSQL." not in left["maps"]  # the names that POSIX shared memory would have
        owner.kill()
        owner.communicate(timeout=20)  # ends when the janitor does: it holds the standard error too
    assert not Path(left["path"]).exists()
    assert not process.exists() or ") Z " in (process / "stat").read_text()
    assert process.name not in shared_memory_creators()


def shared_memory_creators() -> set[str]:
    """Process numbers that have made the System V segments of this machine."""
    header, *segments = Path("/proc/sysvipc/shm").read_text().splitlines()
    column = header.split().index("cpid")
    return {segment.split()[column] for segment in segments}
