"""Every verb on a hostile database of the machine's own version of PostgreSQL."""

import pytest

from tests.hostile.verbs import SECONDS, Verbs

pytestmark = [pytest.mark.lab, pytest.mark.timeout(SECONDS)]


class TestVerbs(Verbs):
    major = None
