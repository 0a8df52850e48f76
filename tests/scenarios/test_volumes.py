"""A cluster with a WAL volume of its own: a restore point is all volumes of one fence, or none."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.lab.lab import Lab
from tests.scenarios.protected import ELECTED, Protected, told

pytestmark = pytest.mark.lab


@pytest.fixture
def with_wal_volume(lab: Lab) -> Iterator[Protected]:
    lab.create_cluster("two-volumes", wal_volume=True)
    yield Protected(lab, "two-volumes")
    Protected(lab, "two-volumes").delete_namespace()


def test_volumes_of_different_fences(with_wal_volume: Protected) -> None:
    cluster = with_wal_volume
    earlier, later = cluster.proven_export(), cluster.proven_export()
    wal = f"{ELECTED}-wal"
    mixed = replace(earlier, data={**earlier.data, wal: later.data[wal]})
    done = cluster.restored(mixed).verify()
    assert done.returncode == 2, done.stderr
    assert "not of one fence" in told(done)["found"]
