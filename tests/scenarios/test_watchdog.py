"""The watchdog as it runs in its pod: a process beside clusters, beside hooks, and beside another one."""

import json
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.lab.apiserver import PODS, PVCS
from tests.lab.lab import Lab, Process
from tests.lab.operator.decisions import labels
from tests.lab.operator.decorations import EXCLUDED, HAS_HOOKS
from tests.lab.operator.names import CNPG
from tests.scenarios.protected import ELECTED, OTHER, PRIMARY, Protected, told

pytestmark = pytest.mark.lab


class Watching:
    """A running watchdog."""

    def __init__(self, process: Process) -> None:
        assert process.stderr
        self.process = process
        self.port = json.loads(process.stderr.readline())["port"]

    def metric(self, name: str) -> float:
        """Sum of all samples of that name."""
        with urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            found = re.findall(rf"(?m)^{name}(?:{{.*}})? (\S+)$", answer.read().decode())
        return sum(map(float, found))

    def ready(self) -> bool:
        """Whether it has seen everything once."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/readyz"):
                return True
        except HTTPError:
            return False

    def ended(self) -> tuple[int, str]:
        """Exit code after SIGTERM, and the log."""
        self.process.send_signal(signal.SIGTERM)
        _, log = self.process.communicate(timeout=60)
        return self.process.returncode, log


@contextmanager
def running(lab: Lab, *options: str) -> Iterator[Watching]:
    with lab.start_kanfunc("watchdog", "--port", "0", *options) as process:
        try:
            yield Watching(process)
        finally:
            process.kill()


@pytest.fixture
def watchdog(lab: Lab) -> Iterator[Watching]:
    with running(lab, "--patience", "2") as found:
        yield found


def await_released(cluster: Protected) -> None:
    cluster.lab.wait_for("the fence to go", lambda: not cluster.fenced and cluster.record)


def test_a_fence_that_nobody_ends_is_ended_at_its_deadline(protected: Protected, watchdog: Watching) -> None:
    assert protected.fence("--deadline", "12").returncode == 0
    assert watchdog.metric("kanfunc_fence_deadline_timestamp_seconds") >= 0
    await_released(protected)
    protected.lab.wait_for("the Event", lambda: "FenceExpired" in protected.events())
    assert protected.record["verdict"] == "broken"
    assert protected.marks() == []
    protected.await_running()
    late = protected.unfence()
    assert late.returncode == 2, "what was backed up meanwhile is not proven"
    assert re.search(r"is broken: its deadline \S+ passed", told(late)["found"])
    protected.lab.wait_for("the count", lambda: watchdog.metric("kanfunc_fences_expired_total") == 1)
    code, log = watchdog.ended()
    assert code == 0, log
    assert "Traceback" not in log


def test_a_backup_in_time_is_left_alone(protected: Protected, watchdog: Watching) -> None:
    protected.proven_export()
    assert protected.record["verdict"] == "held"
    name = "kanfunc_last_proven_backup_timestamp_seconds"
    protected.lab.wait_for("the proof to be seen", lambda: watchdog.metric(name) > 0)
    assert watchdog.metric("kanfunc_fences_expired_total") == 0


def cut(lab: Lab) -> None:
    lab.api.cut_watches()


def forget(lab: Lab) -> None:
    lab.store.expire_history()
    lab.api.cut_watches()


def restart(lab: Lab) -> None:
    lab.api.stop()
    lab.api.start()


@pytest.mark.parametrize("disturb", [cut, forget, restart])
def test_deadlines_are_kept_whatever_becomes_of_watches(
    protected: Protected, watchdog: Watching, disturb: Callable[[Lab], object]
) -> None:
    protected.lab.wait_for("all watches", watchdog.ready)
    assert protected.fence().returncode == 0
    disturb(protected.lab)
    protected.expire()
    await_released(protected)
    assert protected.record["verdict"] == "broken"
    assert watchdog.process.poll() is None


def test_a_new_watchdog_goes_on_where_a_killed_one_was(protected: Protected) -> None:
    """An upgrade, or a lost node, while a fence stands."""
    with running(protected.lab) as first:
        assert protected.fence().returncode == 0
        protected.lab.wait_for(
            "the first", lambda: first.metric("kanfunc_fence_deadline_timestamp_seconds") > 0
        )
        first.process.kill()
    protected.expire()
    with running(protected.lab):
        await_released(protected)
    assert protected.record["verdict"] == "broken"
    protected.await_running()


def test_two_watchdogs_do_no_harm(protected: Protected) -> None:
    with ExitStack() as stack:
        both = [stack.enter_context(running(protected.lab)) for _ in range(2)]
        assert protected.fence().returncode == 0
        protected.expire()
        await_released(protected)
        protected.proven_export()
        assert protected.record["verdict"] == "held"
        assert [each.ended()[0] for each in both] == [0, 0]


def test_it_watches_only_the_namespaces_it_is_told_to(lab: Lab) -> None:
    before = len(lab.api.requests)
    with running(lab, "--namespace", "here", "--namespace", "there") as watchdog:
        lab.wait_for("all watches", watchdog.ready)
    asked = {request.namespace for request in lab.api.requests[before:]}
    assert asked == {"here", "there"}


@pytest.fixture
def cnpg(lab: Lab) -> Iterator[Protected]:
    asked = {"kanfunc.io/addons": '["kasten"]'}
    lab.create_cluster("cnpg", dialect=CNPG, addons=None, annotations=asked)
    yield Protected(lab, "cnpg", dialect=CNPG)
    Protected(lab, "cnpg", dialect=CNPG).delete_namespace()


def marked(cluster: Protected, resource: object, key: str) -> list[str]:
    found = cluster.lab.store.list(resource, cluster.namespace, labels=f"{key}=true")  # type: ignore[arg-type]
    return [each["metadata"]["name"] for each in found]


def test_it_elects_where_the_operator_does_not(cnpg: Protected, watchdog: Watching) -> None:
    def elected(instance: str, *others: str) -> None:
        cnpg.lab.wait_for(
            f"{instance} to be elected",
            lambda: (
                marked(cnpg, PODS, HAS_HOOKS) == [instance]
                and marked(cnpg, PODS, EXCLUDED) == marked(cnpg, PVCS, EXCLUDED) == list(others)
            ),
        )

    elected(ELECTED, PRIMARY, OTHER)
    cnpg.proven_export()
    for resource in (PODS, PVCS):
        cnpg.lab.store.delete(resource, cnpg.namespace, ELECTED)
    elected(OTHER, PRIMARY, f"{cnpg.name}-4")
    cnpg.await_healthy()
    cnpg.proven_export()
    assert labels(cnpg.lab.store.get(PVCS, cnpg.namespace, OTHER))[CNPG.instance_role] == "replica"
    assert watchdog.metric("kanfunc_elected") == 1
