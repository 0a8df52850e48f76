"""The lab for all tests of one worker: started when a test first asks for it, and gone in the end."""

from collections.abc import Iterator

import pytest

from tests.lab.lab import Lab
from tests.lab.operator.runtime import Faults


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long modules first, so that small ones are left for whichever worker is done with its own."""
    items.sort(key=lambda item: item.get_closest_marker("lab") is None)


@pytest.fixture(scope="session")
def shared_lab() -> Iterator[Lab]:
    with Lab.open() as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab) -> Iterator[Lab]:
    """The lab, behaving well again after each test."""
    yield shared_lab
    vars(shared_lab.faults).update(vars(Faults()))  # the operator holds on to this very object
