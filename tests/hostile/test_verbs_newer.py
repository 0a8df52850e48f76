"""Every verb on a hostile database of the newest version of PostgreSQL, which has triggers of logins."""

import pytest

from tests.hostile.verbs import SECONDS, Verbs

pytestmark = [pytest.mark.lab, pytest.mark.timeout(SECONDS)]


class TestVerbs(Verbs):
    major = 18
