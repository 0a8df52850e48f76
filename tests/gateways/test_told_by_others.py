"""Words of a server that was shown a secret: not even a part of it comes out, nor too much."""

import pytest

from kanfunc.gateways import secrecy
from kanfunc.gateways.foreign import clean
from kanfunc.gateways.podexec import PodExec
from kanfunc.gateways.secrecy import keep_secret
from tests.builders import REF

SECRET = "opaque-canary-of-a-token"  # noqa: S105 - a canary


@pytest.fixture(autouse=True)
def _kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrecy, "_kept", set())
    monkeypatch.setattr(secrecy, "_parts", set())
    keep_secret(SECRET)


@pytest.mark.parametrize("before", [0, 900, 995, 9_980, 9_995])
@pytest.mark.parametrize("filler", [" ", "x", "\n", "\x00"])
def test_a_secret_at_the_edge_of_what_is_told(before: int, filler: str) -> None:
    assert "canary" not in clean(filler * before + SECRET)


@pytest.mark.parametrize("said", [SECRET[:-1], SECRET[1:], f"{SECRET[:14]}\x00{SECRET[14:]}", SECRET[3:-3]])
def test_most_of_a_secret_is_one(said: str) -> None:
    told = clean(f"refused: {said}")
    assert not any(SECRET[at : at + 12] in told for at in range(len(SECRET) - 11))


@pytest.mark.parametrize("after", [0, 470, 480, 490])
def test_complaints_of_a_command_are_cut_after_that(pods: PodExec, after: int) -> None:
    script = f"printf '%s%{after}s' {SECRET} '' | tr ' ' y >&2; exit 1"
    with pytest.raises(Exception, match="exit code 1") as failed:
        pods.run(REF.namespace, "pg-2", ("sh", "-c", script), 30)
    assert "canary" not in str(failed.value)
