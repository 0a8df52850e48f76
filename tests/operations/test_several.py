"""fence and unfence of several clusters at once, through the real gateways and scripted commands."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from kubernetes import client

from kanfunc.domain.codec import decode
from kanfunc.domain.errors import ExecFailed, Refused, Terminated
from kanfunc.domain.flavour import RECORD_ANNOTATION
from kanfunc.domain.record import Record
from kanfunc.gateways import scripts
from kanfunc.gateways.console import SystemClock
from kanfunc.gateways.instances import PodInstances
from kanfunc.gateways.kube import KubeApi
from kanfunc.gateways.kubeclient import tuned
from kanfunc.gateways.podexec import PodExec
from kanfunc.operations.fence import fence
from kanfunc.operations.unfence import Outcome, unfence
from kanfunc.ports import Ports
from tests.lab.apiserver import EDB_CLUSTERS, ApiServer, ExecRequest, internal
from tests.lab.scripted import Scripted
from tests.machine.actors import NO_STRUCTURE, Silence
from tests.machine.calls import FENCE_LIMITS, UNFENCE_LIMITS
from tests.operations.conftest import interrupt

SEVERAL = 5
SOON = 30


@contextmanager
def lab(before: Callable[[ExecRequest], None] = lambda _: None) -> Iterator[tuple[Scripted, Ports]]:
    world = Scripted(SEVERAL, waits=0, looks=0, before=before)
    with ApiServer(world.store, world) as server:
        configuration = tuned(client.Configuration(host=server.url))
        shell = PodInstances(PodExec(configuration))
        yield world, Ports(KubeApi(configuration), shell, NO_STRUCTURE, Silence(), SystemClock())


def states(world: Scripted) -> list[str]:
    """Of the records."""
    annotations = (each["metadata"]["annotations"] for each in world.store.list(EDB_CLUSTERS))
    return [str(decode(each[RECORD_ANNOTATION], Record).state) for each in annotations]


def stops(request: ExecRequest) -> bool:
    return scripts.AWAIT_STOPPED in request.command


def test_a_backup_of_all() -> None:
    with lab() as (world, ports):
        records = fence(world.refs, "all", ports, FENCE_LIMITS)
        assert [record.instance for record in records] == [f"{ref.name}-2" for ref in world.refs]
        assert sorted(world.fenced()) == sorted(world.marks) == [record.instance for record in records]
        world.snapshot()
        unfence(world.refs, Outcome.SUCCESS, ports, UNFENCE_LIMITS)
        assert (world.fenced(), world.marks) == ([], {})


def test_nothing_is_touched_where_one_is_refused() -> None:
    with lab() as (world, ports):
        world.store.delete(EDB_CLUSTERS, "prod", "c003")
        world.store.create(EDB_CLUSTERS, {
            "apiVersion": "postgresql.k8s.enterprisedb.io/v1", "kind": "Cluster",
            "metadata": {"name": "c003", "namespace": "prod"}, "spec": {"instances": 1},
        })  # fmt: skip
        with pytest.raises(Refused):
            fence(world.refs, "all", ports, FENCE_LIMITS)
        assert world.fenced() == []
        assert RECORD_ANNOTATION not in str(world.store.list(EDB_CLUSTERS))


def test_all_are_taken_back_where_one_fails() -> None:
    """The others are at the same step: some have stopped, some have a mark."""

    def fail(request: ExecRequest) -> None:
        if stops(request) and request.pod == "c002-2":
            raise internal("the node is gone")

    with lab(fail) as (world, ports):
        with pytest.raises(ExecFailed, match="c002-2") as failed:
            fence(world.refs, "all", ports, FENCE_LIMITS)
        assert "taken back" in failed.value.left
        assert (world.fenced(), world.marks) == ([], {})
        assert states(world) == ["ended"] * SEVERAL


@pytest.mark.usefixtures("signals")
def test_all_are_taken_back_on_a_signal_that_finds_commands_hanging() -> None:
    together_there, end = threading.Barrier(SEVERAL), threading.Event()

    def hang(request: ExecRequest) -> None:
        if stops(request):
            if together_there.wait(SOON) == 0:
                interrupt()
            end.wait(SOON)

    with lab(hang) as (world, ports):
        with pytest.raises(Terminated) as failed:
            fence(world.refs, "all", ports, FENCE_LIMITS)
        assert not end.is_set(), "nobody waited for the commands"
        assert "taken back" in failed.value.left
        assert world.fenced() == []
        assert states(world) == ["ended"] * SEVERAL
        end.set()


@pytest.mark.usefixtures("signals")
def test_all_are_taken_back_on_a_signal_during_the_roll_back() -> None:
    def disturb(request: ExecRequest) -> None:
        if stops(request) and request.pod == "c002-2":
            raise internal("the node is gone")
        if scripts.ERASE_MARKS in request.command:
            interrupt()

    with lab(disturb) as (world, ports):
        with pytest.raises(ExecFailed, match="c002-2"):
            fence(world.refs, "all", ports, FENCE_LIMITS)
        assert world.fenced() == []
        assert states(world) == ["ended"] * SEVERAL
