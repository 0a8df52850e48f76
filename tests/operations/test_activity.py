"""A look at what acts by itself that fails is a warning; what says that we may not, or must end, is none."""

from types import SimpleNamespace
from typing import cast

import pytest

from kanfunc.domain.errors import ExecCut, ExecFailed, ExecForbidden, KanfuncError, NotFound, Terminated
from kanfunc.domain.finding import Status
from kanfunc.operations.activity import activity_warnings
from kanfunc.ports import Ports
from tests.builders import REF


def ports(failure: KanfuncError, warned: list[str]) -> Ports:
    def activity(*_: object) -> None:
        raise failure

    journal = SimpleNamespace(warn=lambda name, **_: warned.append(name))
    return cast("Ports", SimpleNamespace(shell=SimpleNamespace(activity=activity), journal=journal))


@pytest.mark.parametrize(
    "failure", [ExecFailed("did not end within 60 s", timed_out=True), ExecCut("cut"), ExecFailed("psql: no")]
)
def test_a_look_that_fails_is_a_warning(failure: ExecFailed) -> None:
    warned: list[str] = []
    [finding] = activity_warnings(REF, "pg-1", ports(failure, warned))
    assert (finding.status, finding.spoils) == (Status.WARNING, False)
    assert failure.found in finding.found
    assert warned == ["subscriptions and jobs not looked at"]


@pytest.mark.parametrize(
    "failure", [ExecForbidden("403"), NotFound("no pod"), Terminated("ended by SIGTERM")]
)
def test_what_ends_a_verification_elsewhere_ends_it_here(failure: KanfuncError) -> None:
    with pytest.raises(type(failure)):
        activity_warnings(REF, "pg-1", ports(failure, []))
