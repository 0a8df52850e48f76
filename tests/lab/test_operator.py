from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.lab.apiserver import (
    EDB_CLUSTERS,
    PODS,
    PVCS,
    SECRETS,
)
from tests.lab.lab import Lab
from tests.lab.operator.decisions import annotations, fence_list, labels
from tests.lab.operator.decorations import KASTEN
from tests.lab.operator.manifests import secret_data
from tests.lab.operator.names import EDB, HEALTHY
from tests.lab.operator.runtime import Faults
from tests.lab.site import ELECTED, NAME, PRIMARY, THIRD, Site, opened, restarted

pytestmark = pytest.mark.lab

CLEAN = "shut down in recovery"


@pytest.fixture
def pair(lab: Lab) -> Iterator[Site]:
    """A cluster with one replica for one test alone."""
    yield from opened(lab, instances=2)


@pytest.fixture
def trio(lab: Lab) -> Iterator[Site]:
    """The seed's cluster, one primary and two replicas, for one test alone."""
    yield from opened(lab, instances=3)


def test_seed_cluster_comes_up_elected_and_decorated(trio: Site) -> None:
    status = trio.cluster["status"]
    assert (status["phase"], status["readyInstances"]) == (HEALTHY, 3)
    assert status["currentPrimary"] == status["targetPrimary"] == PRIMARY
    assert annotations(trio.cluster)[EDB.backup_instance] == ELECTED
    assert labels(trio.get(PODS, ELECTED))[f"{KASTEN}hasHooks"] == "true"
    assert labels(trio.get(PVCS, ELECTED))[f"{KASTEN}elected"] == "true"
    for resource in (PODS, PVCS):
        excluded = trio.lab.store.list(resource, trio.namespace, labels=f"{KASTEN}excluded=true")
        assert [each["metadata"]["name"] for each in excluded] == [PRIMARY, THIRD]
        assert all(annotations(each)[f"{KASTEN}excluded-reason"] for each in excluded)


def test_pod_shows_the_volumes_of_its_claims(lab: Lab) -> None:
    for site in opened(lab, instances=2, wal_volume=True):
        check_volumes(site)


def check_volumes(site: Site) -> None:
    spec = site.get(PODS, ELECTED)["spec"]
    claims = {each["name"]: each["persistentVolumeClaim"]["claimName"] for each in spec["volumes"]}
    mounts = {each["name"]: each["mountPath"] for each in spec["containers"][0]["volumeMounts"]}
    assert claims == {"pgdata": ELECTED, "pg-wal": f"{ELECTED}-wal"}
    assert (Path(mounts["pgdata"]) / "pgdata/PG_VERSION").exists()
    assert (Path(mounts["pg-wal"]) / "pg_wal/archive_status").exists()
    assert labels(site.get(PVCS, f"{ELECTED}-wal"))[f"{KASTEN}elected"] == "true"


def test_application_connects_with_verified_tls(site: Site) -> None:
    with psycopg.connect(site.lab.client_dsn(site.namespace, NAME)) as connection:
        assert connection.execute("SELECT current_user, current_database()").fetchone() == ("app", "app")
    assert secret_data(site.get(SECRETS, f"{NAME}-app"))["host"] == f"{NAME}-rw"


def test_fence_stops_postgresql_and_readiness_follows_later(site: Site, faults: Faults) -> None:
    faults.readiness_lag = 0.5
    site.fence(ELECTED)
    site.wait_until_stopped(ELECTED)
    assert site.ready(ELECTED)
    assert site.state(ELECTED) == CLEAN
    site.lab.wait_for("the pod to be unready", lambda: not site.ready(ELECTED))
    assert site.cluster["status"]["phase"] == HEALTHY
    site.unfence(ELECTED)
    site.wait_until_healthy()
    assert site.running(ELECTED)
    assert site.ready(ELECTED)


def test_immediate_stop_leaves_another_state(site: Site, faults: Faults) -> None:
    faults.stop_mode = "immediate"
    site.fence(ELECTED)
    site.wait_until_stopped(ELECTED)
    assert site.state(ELECTED) != CLEAN


def test_ignored_fence_stops_nothing(site: Site, faults: Faults) -> None:
    faults.ignore_fence = True
    site.fence(ELECTED)
    uid = restarted(site, PRIMARY)  # so that a whole round has passed
    assert uid
    assert site.running(ELECTED)
    assert fence_list(site.cluster) == [ELECTED]


def test_new_pod_has_another_uid_and_the_same_volume(site: Site) -> None:
    claim = site.get(PVCS, ELECTED)["metadata"]["uid"]
    query = "SELECT pg_postmaster_start_time()"
    started = site.lab.server(site.namespace, ELECTED).sql(query)
    restarted(site, ELECTED)
    site.wait_until_healthy()
    assert site.get(PVCS, ELECTED)["metadata"]["uid"] == claim
    assert site.lab.server(site.namespace, ELECTED).sql(query) > started


def test_new_pod_of_a_fenced_instance_stays_stopped(site: Site) -> None:
    site.fence(ELECTED)
    site.wait_until_stopped(ELECTED)
    restarted(site, ELECTED)
    restarted(site, PRIMARY)  # so that a whole round has passed
    assert not site.running(ELECTED)
    assert not site.ready(ELECTED)


def test_destroyed_instance_is_cloned_anew_and_another_elected(trio: Site) -> None:
    for resource in (PODS, PVCS):
        trio.lab.store.delete(resource, trio.namespace, ELECTED)
    trio.lab.wait_for("a new instance", lambda: f"{NAME}-4" in trio.cluster["status"]["instanceNames"])
    trio.wait_until_healthy()
    assert trio.names(PODS) == trio.names(PVCS) == [PRIMARY, THIRD, f"{NAME}-4"]
    assert annotations(trio.cluster)[EDB.backup_instance] == THIRD
    trio.lab.wait_for("the marks", lambda: f"{KASTEN}hasHooks" in labels(trio.get(PODS, THIRD)))
    assert f"{KASTEN}excluded" not in labels(trio.get(PODS, THIRD))
    assert f"{KASTEN}excluded-reason" not in annotations(trio.get(PODS, THIRD))


def test_election_outlasts_a_fence(trio: Site) -> None:
    trio.fence(ELECTED)
    trio.wait_until_stopped(ELECTED)
    restarted(trio, THIRD)
    assert annotations(trio.cluster)[EDB.backup_instance] == ELECTED


def test_lone_primary_is_elected_only_where_its_cluster_allows_it(lab: Lab) -> None:
    cold = {"k8s.enterprisedb.io/snapshotAllowColdBackupOnPrimary": "enabled"}
    allowed, refused = Site(lab, "cold"), Site(lab, "warm")
    lab.create_cluster("warm", NAME, instances=1)
    lab.create_cluster("cold", NAME, instances=1, annotations=cold)
    lab.wait_for("the election", lambda: annotations(allowed.cluster).get(EDB.backup_instance) == PRIMARY)
    assert EDB.backup_instance not in annotations(refused.cluster)


def test_switchover_keeps_every_commit(trio: Site) -> None:
    trio.lab.primary(trio.namespace, NAME).sql("CREATE TABLE ledger AS SELECT 1 AS entry")
    trio.lab.switchover(trio.namespace, NAME, THIRD)
    trio.wait_until_healthy()
    assert trio.lab.primary(trio.namespace, NAME) is trio.lab.server(trio.namespace, THIRD)
    assert trio.lab.primary(trio.namespace, NAME).sql("SELECT entry FROM ledger") == [(1,)]
    roles = {name: labels(trio.get(PODS, name))[EDB.instance_role] for name in trio.names(PODS)}
    assert roles == {PRIMARY: "replica", ELECTED: "replica", THIRD: "primary"}


def test_fenced_replica_follows_the_new_primary_when_unfenced(trio: Site) -> None:
    trio.fence(ELECTED)
    trio.wait_until_stopped(ELECTED)
    trio.lab.switchover(trio.namespace, NAME, THIRD)
    assert not trio.running(ELECTED)
    trio.unfence(ELECTED)
    trio.wait_until_healthy()


def test_failover_waits_for_the_only_replica_to_be_unfenced(pair: Site) -> None:
    pair.fence(ELECTED)
    pair.wait_until_stopped(ELECTED)
    for resource in (PODS, PVCS):
        pair.lab.store.delete(resource, pair.namespace, PRIMARY)
    pair.lab.wait_for("a target", lambda: pair.cluster["status"]["targetPrimary"] == ELECTED)
    assert pair.cluster["status"]["currentPrimary"] == PRIMARY
    assert not pair.running(ELECTED)
    pair.unfence(ELECTED)
    pair.lab.wait_for("a primary", lambda: pair.cluster["status"]["currentPrimary"] == ELECTED)


def test_deleted_cluster_leaves_no_process_and_no_volume(pair: Site) -> None:
    servers = [pair.lab.server(pair.namespace, name) for name in (PRIMARY, ELECTED)]
    pair.lab.store.delete(EDB_CLUSTERS, pair.namespace, NAME)
    pair.lab.wait_for("the volumes to go", lambda: not any(server.volume.exists() for server in servers))
    assert not any(server.running for server in servers)
    assert pair.names(PODS) == pair.names(PVCS) == []
