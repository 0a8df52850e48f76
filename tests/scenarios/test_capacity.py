"""What the primary says of its WAL, asked as doctor asks it."""

import os

import pytest
from kubernetes import client

from kanfunc.domain.flavour import EDB
from kanfunc.domain.world import ClusterRef
from kanfunc.gateways.surveyor import KubeSurveyor
from tests.scenarios.protected import ELECTED, PRIMARY, Protected

pytestmark = pytest.mark.lab

MIB = 1024**2


@pytest.fixture
def surveyor(protected: Protected) -> KubeSurveyor:
    return KubeSurveyor(client.Configuration(host=protected.lab.api.url))


def test_slots_limits_and_pace_are_those_of_the_server(protected: Protected, surveyor: KubeSurveyor) -> None:
    ref = ClusterRef(protected.namespace, protected.name, EDB)
    primary = protected.lab.server(protected.namespace, PRIMARY)
    first = surveyor.capacity(ref, PRIMARY)
    assert first.slots == {}
    assert first.wal_keep >= 0
    assert first.slot_keep == -1
    assert not first.archiving
    free = os.statvfs(primary.pgdata).f_bavail * os.statvfs(primary.pgdata).f_frsize
    assert abs(first.free - free) < max(free, 1024 * MIB) / 5

    primary.sql("SELECT pg_create_physical_replication_slot('for_two')")
    primary.adjust(max_slot_wal_keep_size="64MB")
    protected.lab.server(protected.namespace, ELECTED).adjust(primary_slot_name="for_two")
    primary.sql("CREATE TABLE much AS SELECT generate_series(1, 100000)")
    protected.lab.wait_for(
        "the slot to be used", lambda: surveyor.capacity(ref, PRIMARY).slots == {ELECTED: "for_two"}
    )
    second = surveyor.capacity(ref, PRIMARY)
    assert second.slot_keep == 64 * MIB
    assert second.written - first.written > MIB
    assert 0 < first.seconds < second.seconds
