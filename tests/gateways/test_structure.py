"""The scripts that look at the structure: what becomes of them when we go."""

from collections.abc import Callable

import pytest

from kanfunc.domain.errors import ExecFailed, KanfuncError
from kanfunc.domain.examination import ExaminationLimits
from kanfunc.gateways import amcheckscripts, structurescripts
from kanfunc.gateways.podexec import PodExec
from kanfunc.gateways.structure import PodStructure
from tests.builders import REF
from tests.gateways.conftest import Containers
from tests.lab.apiserver import ExecRequest, Reply, Spawn


def follow(pods: PodExec, script: str, tell: Callable[[str], None]) -> None:
    with pods.begun(REF.namespace, "pg-2", ("sh", "-c", script), 90) as running:
        running.follow(tell)


def test_each_line_is_told_as_it_comes(pods: PodExec) -> None:
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        if line == "two":
            raise KanfuncError("seen while it ran")

    with pytest.raises(KanfuncError, match="seen while it ran"):
        follow(pods, "echo one; echo two; sleep 60", tell)
    assert told == ["one", "two"]


def test_the_last_lines_are_told_too(pods: PodExec) -> None:
    told: list[str] = []
    follow(pods, "seq 5000; printf end", told.append)
    assert [line for line in told if line] == [*map(str, range(1, 5001)), "end"]


@pytest.mark.parametrize("reply", [Reply(1, stderr="connection lost"), Reply(0, "looks:end\n")])
def test_what_was_started_is_ended_on_failure_only(
    pods: PodExec, containers: Containers, reply: Reply
) -> None:
    calls: list[tuple[str, ...]] = []

    def answer(request: ExecRequest) -> Spawn | Reply:
        calls.append(request.command)
        return reply if amcheckscripts.EXAMINE in request.command else Reply(0)

    containers.script = answer
    told: list[str] = []
    try:
        with PodStructure(pods).examining(
            REF, "pg-2", ExaminationLimits(jobs=3, seconds=9), amcheck=True
        ) as follow:
            follow(told.append)
    except ExecFailed:
        assert reply.exit_code
    first, *others = calls
    name, seconds, jobs, amcheck = first[-4:]
    assert first[:4] == ("timeout", "-k", "5", "9")
    assert (seconds, jobs, amcheck) == ("9", "3", "yes")
    assert [(call[-3], call[-1]) for call in others] == [(structurescripts.CANCEL, name)] * reply.exit_code


def test_a_survey_that_fails_ends_the_examination_beside_it(pods: PodExec, containers: Containers) -> None:
    calls: list[tuple[str, str]] = []

    def answer(request: ExecRequest) -> Spawn | Reply:
        script, name = request.command[6], request.command[8]
        calls.append((script, name))
        if script == amcheckscripts.EXAMINE:
            return Spawn(["sleep", "60"], {"PATH": "/usr/bin:/bin"}, "/")
        return Reply(1 if script == structurescripts.SURVEY else 0)

    containers.script = answer
    structure = PodStructure(pods)
    with pytest.raises(ExecFailed), structure.examining(REF, "pg-2", ExaminationLimits(), amcheck=True):
        structure.survey(REF, "pg-2", 9)
    (_, examination), (_, survey), *cancelled = calls
    assert cancelled == [(structurescripts.CANCEL, name) for name in (survey, examination)]
