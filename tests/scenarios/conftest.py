from collections.abc import Iterator
from itertools import count

import pytest

from tests.lab.apiserver import NAMESPACES, StatusError
from tests.lab.lab import Lab
from tests.lab.operator.names import EDB
from tests.scenarios.protected import Protected

_numbers = count(1)


def _cluster(lab: Lab, **options: object) -> Iterator[Protected]:
    namespace = f"edb-{next(_numbers)}"
    lab.create_cluster(namespace, **options)  # type: ignore[arg-type]  # passed through
    yield Protected(lab, namespace)
    try:
        lab.store.delete(NAMESPACES, "", namespace)
    except StatusError:
        return  # the test has deleted it


@pytest.fixture
def protected(lab: Lab) -> Iterator[Protected]:
    """A fresh cluster of three instances, one of them elected."""
    yield from _cluster(lab)


@pytest.fixture
def archived(lab: Lab) -> Iterator[Protected]:
    """The same, which archives its WAL to where a restored cluster can read it, and no other cluster does:
    a segment that is there already is not archived.
    """
    yield from _cluster(lab, archive=f"object-store-{next(_numbers)}")


@pytest.fixture
def pair(lab: Lab) -> Iterator[Protected]:
    """A primary with a single replica."""
    yield from _cluster(lab, instances=2)


@pytest.fixture
def alone(lab: Lab) -> Iterator[Protected]:
    """A primary without any replica, which may be stopped."""
    yield from _cluster(lab, instances=1, annotations={EDB.cold_primary: "enabled"})


@pytest.fixture(scope="module")
def _module_cluster(shared_lab: Lab) -> Iterator[Protected]:
    yield from _cluster(shared_lab)


@pytest.fixture
def sturdy(_module_cluster: Protected, lab: Lab) -> Protected:
    """One cluster for all tests of a module that leave it as it was."""
    assert lab is _module_cluster.lab
    _module_cluster.await_healthy()
    return _module_cluster
