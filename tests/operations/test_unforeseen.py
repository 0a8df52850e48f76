"""What nobody foresaw befalls one cluster: it is its failure, and ends the call as any other would."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kanfunc.domain.errors import StillStanding, Terminated
from kanfunc.domain.flavour import RECORD_ANNOTATION
from kanfunc.domain.unexpected import Unexpected, contained, said
from kanfunc.domain.world import ClusterRef
from kanfunc.gateways.instances import PodInstances
from kanfunc.gateways.kube import KubeApi
from kanfunc.operations.fence import fence
from kanfunc.operations.unfence import Outcome, unfence
from tests.lab.apiserver import EDB_CLUSTERS
from tests.lab.scripted import Scripted
from tests.machine.calls import FENCE_LIMITS, UNFENCE_LIMITS
from tests.operations.test_several import lab

CANARY = "canary"
FAULTS = [
    ValueError(CANARY),
    RecursionError(CANARY),
    OverflowError(CANARY),
    KeyError(CANARY),
    MemoryError(CANARY),
]


@contextmanager
def faulty(
    monkeypatch: pytest.MonkeyPatch, kind: type, method: str, victim: str, fault: BaseException
) -> Iterator[list[str]]:
    """That method raises whenever it is used for that cluster; yields whom it was used for."""
    real: Callable[..., Any] = getattr(kind, method)
    used: list[str] = []

    def call(self: object, first: Any, *arguments: Any, **options: Any) -> Any:
        ref = first if isinstance(first, ClusterRef) else first.ref
        used.append(ref.name)
        if ref.name == victim:
            raise fault
        return real(self, first, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(kind, method, call)
        yield used


def live(world: Scripted) -> list[str]:
    """Clusters with a record that has not ended; where nothing was begun there is none."""
    return [
        each["metadata"]["name"]
        for each in world.store.list(EDB_CLUSTERS)
        if '"state":"ended"' not in each["metadata"]["annotations"].get(RECORD_ANNOTATION, '"state":"ended"')
    ]


def rolled_back(world: Scripted) -> bool:
    return not world.fenced() and not world.marks


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
@pytest.mark.parametrize(
    ("kind", "method"),
    [
        (PodInstances, "emit_bound"),
        (PodInstances, "await_stopped"),
        (PodInstances, "inscribe"),
        (KubeApi, "annotate"),
    ],
)
def test_fence_takes_everything_back(
    monkeypatch: pytest.MonkeyPatch, kind: type, method: str, fault: Exception
) -> None:
    with lab() as (world, ports):
        with (
            faulty(monkeypatch, kind, method, "c002", fault),
            pytest.raises((Unexpected, StillStanding)) as failed,
        ):
            fence(world.refs, "all", ports, FENCE_LIMITS)
        assert "prod/c002" in str(failed.value)
        assert type(fault).__name__ in str(failed.value)
        assert CANARY not in str(failed.value)
        assert [entry for entry in world.fenced() if not entry.startswith("c002")] == []
        if kind is PodInstances:
            assert rolled_back(world)
            assert not live(world)


def test_fence_of_one_takes_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with lab() as (world, ports):
        with faulty(monkeypatch, PodInstances, "await_stopped", "c002", FAULTS[0]), pytest.raises(Unexpected):
            fence([world.refs[2]], "all", ports, FENCE_LIMITS)
        assert rolled_back(world)


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_roll_back_of_the_others_goes_on_where_one_fails(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    with lab() as (world, ports):
        with (
            faulty(monkeypatch, PodInstances, "erase_marks", "c001", fault),
            faulty(monkeypatch, PodInstances, "await_stopped", "c002", ValueError(CANARY)),
            pytest.raises(StillStanding) as failed,
        ):
            fence(world.refs, "all", ports, FENCE_LIMITS)
        assert "prod/c001" in failed.value.found
        assert "prod/c003" not in failed.value.found
        assert CANARY not in str(failed.value)
        assert {entry.partition("-")[0] for entry in world.fenced()} <= {"c001"}


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_unfence_releases_the_others(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    with lab() as (world, ports):
        fence(world.refs, "all", ports, FENCE_LIMITS)
        with (
            faulty(monkeypatch, PodInstances, "erase_marks", "c002", fault),
            pytest.raises(StillStanding, match="c002") as failed,
        ):
            unfence(world.refs, Outcome.FAILURE, ports, UNFENCE_LIMITS)
        assert CANARY not in str(failed.value)
        assert world.fenced() == ["c002-2"]


def test_signal_is_nobodys_failure() -> None:
    for passing in (Terminated("ended by SIGTERM"), KeyboardInterrupt(), SystemExit(7)):
        with pytest.raises(type(passing)), contained("prod/pg"):
            raise passing
    assert said(Terminated("ended by SIGTERM")) == "ended by SIGTERM"
    assert said(ValueError(CANARY)) == "ValueError"
