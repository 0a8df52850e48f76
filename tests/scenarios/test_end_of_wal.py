"""E, the end of WAL on the fenced replica, is where the restored cluster leaves that timeline."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kubernetes import client, config

from kanfunc.domain.coldness import end_of_wal
from kanfunc.domain.flavour import EDB
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.world import ClusterRef
from kanfunc.gateways.instances import PodInstances
from kanfunc.gateways.podexec import PodExec
from tests.lab.certificates import Authority
from tests.lab.client import Writer
from tests.lab.postgres import Server
from tests.lab.storage import copy
from tests.scenarios.protected import ELECTED, PRIMARY, Protected

pytestmark = pytest.mark.lab

SEGMENT = 16 << 20


@contextmanager
def writes(cluster: Protected) -> Iterator[Writer]:
    writer = Writer(cluster.lab.client_dsn(cluster.namespace, cluster.name), interval=0.001)
    writer.start()
    yield writer
    writer.stop()


def promotion_point(cluster: Protected) -> str:
    """Where the restored cluster left timeline 1, by its own history file."""
    cluster.await_healthy()
    history = cluster.lab.server(cluster.namespace, ELECTED).pgdata / "pg_wal" / "00000002.history"
    return history.read_text().split()[1]


def assert_exact(cluster: Protected) -> Lsn:
    """Back up, lose and restore; E and the promotion point are the same byte."""
    source = cluster.proven_export()
    end = cluster.record["proof"]["end_of_wal"]
    cluster.restored(source)
    assert promotion_point(cluster) == end
    assert cluster.verify().returncode == 0
    return Lsn.parse(end)


def test_on_a_quiet_cluster(protected: Protected) -> None:
    assert_exact(protected)


def test_on_a_busy_cluster(protected: Protected) -> None:
    with writes(protected) as writer:
        writer.wait_for(200)
        source = protected.proven_export()
    proof = protected.record["proof"]
    assert Lsn.parse(proof["end_of_wal"]) > Lsn.parse(proof["bound"]), "writes went on after the bound"
    protected.restored(source)
    assert promotion_point(protected) == proof["end_of_wal"]
    assert protected.verify().returncode == 0


def measured_end(cluster: Protected) -> Lsn:
    """E as the product measures it on the stopped instance."""
    configuration = client.Configuration()
    kubeconfig = cluster.lab.environment()["KUBECONFIG"]
    config.load_kube_config(kubeconfig, client_configuration=configuration)  # type: ignore[no-untyped-call]  # client's gap
    shell = PodInstances(PodExec(configuration))
    stopped = shell.await_stopped(ClusterRef(cluster.namespace, cluster.name, EDB), ELECTED, 30)
    return end_of_wal(stopped.control, stopped.wal)


def promoted_copy(cluster: Protected) -> str:
    """Start a copy of the stopped instance without an upstream, promote it, and read its history."""
    lab, original = cluster.lab, cluster.lab.server(cluster.namespace, ELECTED)
    target = lab.workspace.directory("copies", cluster.namespace) / "volume"
    copy(original.volume, target)
    server = Server(
        lab.workspace, lab.binaries, name="copy", volume=target, tls=Authority.create().instance(["copy"])
    )
    server.configure()
    server.start(standby=True)
    server.promote()
    history = server.pgdata / "pg_wal" / "00000002.history"
    server.stop()
    return history.read_text().split()[1]


def stop_by_hand(cluster: Protected) -> Server:
    cluster.set_fenced(ELECTED)
    cluster.await_running(running=False)
    return cluster.lab.server(cluster.namespace, ELECTED)


@pytest.mark.parametrize("made_ready", [False, True])
def test_at_a_segment_boundary(protected: Protected, *, made_ready: bool) -> None:
    """archive_timeout closes a segment on a quiet cluster, and nothing is written into the next one."""
    primary = protected.lab.primary(protected.namespace, protected.name)
    primary.sql("create table something (x int)")
    switched = Lsn.parse(primary.sql("select pg_switch_wal()")[0][0])
    boundary = Lsn(-(-switched // SEGMENT) * SEGMENT)
    protected.lab.wait_for(
        "the replica to have the whole segment",
        lambda: primary.sql(
            "select 1 from pg_stat_replication where application_name = %s and flush_lsn >= %s::pg_lsn",
            ELECTED,
            str(boundary),
        ),
    )
    wal = stop_by_hand(protected).pgdata / "pg_wal"
    following = wal / primary.sql("select pg_walfile_name(%s::pg_lsn)", str(Lsn(boundary + 1)))[0][0]
    following.unlink(missing_ok=True)
    if made_ready:
        following.write_bytes(bytes(SEGMENT))
        shutil.chown(following, wal.owner(), wal.group())
    assert measured_end(protected) == boundary
    assert promoted_copy(protected) == str(boundary)


@pytest.mark.parametrize("cut", [100, 8192, 8192 * 3 + 17, 1 << 20])
def test_in_the_middle_of_a_record(protected: Protected, cut: int) -> None:
    """The fence cuts a long record: what came of it does not count."""
    primary = protected.lab.primary(protected.namespace, protected.name)
    server = stop_by_hand(protected)
    complete = measured_end(protected)
    position = Lsn.parse(primary.sql("select pg_current_wal_insert_lsn()")[0][0])
    primary.sql("select pg_logical_emit_message(false, 'noise', repeat('x', 3000000))")
    primary.sql("select pg_switch_wal()")
    name = primary.sql("select pg_walfile_name(%s::pg_lsn)", str(Lsn(position + 1)))[0][0]
    wal = (primary.pgdata / "pg_wal" / name).read_bytes()
    kept = position % SEGMENT + cut
    torn = server.pgdata / "pg_wal" / name
    torn.write_bytes(wal[:kept] + bytes(SEGMENT - kept))
    shutil.chown(torn, torn.parent.owner(), torn.parent.group())
    measured = measured_end(protected)
    assert complete <= measured <= position + 48, "the long record was not complete"
    assert promoted_copy(protected) == str(measured)


def test_the_primary_is_not_disturbed(protected: Protected) -> None:
    with writes(protected) as writer:
        protected.proven_export()
        assert protected.running(PRIMARY)
    assert writer.longest_gap < 5
