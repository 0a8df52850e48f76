"""Every verb on a hostile database of the newest version of PostgreSQL, which has triggers of logins."""

from collections.abc import Iterator

import pytest

from tests.hostile.verbs import SECONDS, Told, Verbs, told_of

pytestmark = [pytest.mark.lab, pytest.mark.timeout(SECONDS)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    yield from told_of(18, tmp_path_factory.mktemp("hostile"))


class TestVerbs(Verbs):
    """Nothing of its own."""
