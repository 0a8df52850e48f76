"""A lab for each module of the lab's own tests, and a small cluster that the tests of a module share."""

from collections.abc import Iterator

import pytest

from tests.lab.lab import Lab
from tests.lab.operator.decisions import fence_list
from tests.lab.operator.runtime import Faults
from tests.lab.site import FRESH, NAME, Site


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.open() as lab:
        yield lab


@pytest.fixture
def faults(lab: Lab) -> Iterator[Faults]:
    yield lab.faults
    vars(lab.faults).update(vars(Faults()))


@pytest.fixture(scope="module")
def standing(lab: Lab) -> Site:
    site = Site(lab, next(FRESH))
    lab.create_cluster(site.namespace, NAME, instances=2)
    return site


@pytest.fixture
def site(standing: Site) -> Iterator[Site]:
    """A cluster with one replica that all tests share: they leave it with its instances as they are."""
    yield standing
    for instance in fence_list(standing.cluster):
        standing.wait_until_stopped(instance)  # lifted earlier, it might be stopped after all
        standing.unfence(instance)
    standing.wait_until_healthy()
