"""The scripts that look at the structure: how long they are, and what becomes of them when we go."""

from urllib.parse import urlencode

import pytest

from kanfunc.domain.errors import ExecFailed, KanfuncError
from kanfunc.domain.examination import ExaminationLimits
from kanfunc.gateways import scripts, structurescripts
from kanfunc.gateways.podexec import PodExec
from kanfunc.gateways.structure import PodStructure
from tests.builders import REF
from tests.gateways.conftest import Containers
from tests.lab.apiserver import ExecRequest, Reply, Spawn

LONGEST = 7000
"""A script travels in the address of a request; proxies before an API server allow lines of 8 kB."""

SCRIPTS = {
    f"{module.__name__}.{name}": script
    for module in (scripts, structurescripts)
    for name, script in vars(module).items()
    if name.isupper() and isinstance(script, str)
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_fits_into_a_request(name: str) -> None:
    assert len(urlencode({"command": SCRIPTS[name]})) < LONGEST


def test_each_line_is_told_as_it_comes(pods: PodExec) -> None:
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        if line == "two":
            raise KanfuncError("seen while it ran")

    with pytest.raises(KanfuncError, match="seen while it ran"):
        pods.run(REF.namespace, "pg-2", ("sh", "-c", "echo one; echo two; sleep 60"), 90, tell)
    assert told == ["one", "two"]


def test_the_last_lines_are_told_too(pods: PodExec) -> None:
    told: list[str] = []
    assert not pods.run(REF.namespace, "pg-2", ("sh", "-c", "seq 5000; printf end"), 30, told.append)
    assert [line for line in told if line] == [*map(str, range(1, 5001)), "end"]


@pytest.mark.parametrize("reply", [Reply(1, stderr="connection lost"), Reply(0, "looks:end\n")])
def test_what_was_started_is_ended_on_failure_only(
    pods: PodExec, containers: Containers, reply: Reply
) -> None:
    calls: list[tuple[str, ...]] = []

    def answer(request: ExecRequest) -> Spawn | Reply:
        calls.append(request.command)
        return reply if structurescripts.EXAMINE in request.command else Reply(0)

    containers.script = answer
    told: list[str] = []
    try:
        with PodStructure(pods).examining(REF, "pg-2", ExaminationLimits(jobs=3, seconds=9)) as follow:
            follow(told.append)
    except ExecFailed:
        assert reply.exit_code
    first, *others = calls
    name, jobs, install = first[-3:]
    assert first[:4] == ("timeout", "-k", "5", "9")
    assert (jobs, install) == ("3", "no")
    assert [(call[-3], call[-1]) for call in others] == [(structurescripts.CANCEL, name)] * reply.exit_code
