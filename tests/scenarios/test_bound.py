"""Bound to the Clusters: discovery first, a call for each Cluster, artifacts to the restore hook."""

from collections.abc import Iterator

import pytest

from tests.lab.apiserver import NAMESPACES
from tests.lab.kasten import Action, Artifacts, Blueprint, BoundHook, HookResult, Policy, RestorePoint, State
from tests.lab.kasten.transforms import EXAMPLE
from tests.lab.lab import Lab
from tests.scenarios.protected import Manifest, Protected

pytestmark = pytest.mark.lab

ONE, TWO = "one", "two"


@pytest.fixture
def both(lab: Lab) -> Iterator[tuple[Protected, Protected]]:
    """Two clusters in one namespace."""
    for name in (ONE, TWO):
        lab.create_cluster("bound", name)
    yield Protected(lab, "bound", ONE), Protected(lab, "bound", TWO)
    lab.store.delete(NAMESPACES, "", "bound")


def hook(lab: Lab, verb: str, *options: str, expect: bool = False) -> BoundHook:
    def run(cluster: Manifest, artifacts: Artifacts) -> HookResult:
        metadata = cluster["metadata"]
        where = ("-n", metadata["namespace"], "--cluster", metadata["name"])
        expected = ("--expect-fence-id", artifacts["fenceId"]) if expect else ()
        done = lab.kanfunc(verb, *where, *options, *expected, timeout=90)
        return HookResult(done.returncode, done.stdout + done.stderr)

    return run


def blueprint(lab: Lab) -> Blueprint:
    return Blueprint(hook(lab, "fence"), hook(lab, "unfence", "--outcome", "success"))


def back_up(one: Protected, retries: int = 0, bound: Blueprint | None = None) -> Action:
    return one.lab.kasten.run(
        Policy(
            one.namespace,
            on_failure=one.hook("unfence", "--outcome", "failure"),
            retries=retries,
            blueprint=bound or blueprint(one.lab),
        )
    )


def restored(one: Protected, source: RestorePoint) -> Action:
    one.delete_namespace()
    verify = hook(one.lab, "verify-restore", expect=True)
    return one.lab.kasten.restore(source, one.namespace, transforms=EXAMPLE, restore_posthook=verify)


def test_each_cluster_is_backed_up_and_proven_by_its_own_fence(both: tuple[Protected, Protected]) -> None:
    one, two = both
    lab = one.lab
    action = back_up(one)
    assert action.restore_point is not None, action.error
    names = [step.name for step in action.steps]
    assert (
        names.index("discovery") < names.index(f"backupPrehook {ONE}") < names.index(f"backupPosthook {ONE}")
    )
    for cluster in action.restore_point.clusters:
        annotations = cluster["metadata"]["annotations"]
        assert not [key for key in annotations if "fence" in key.lower()], "captured before the hook"
    ids = {name: found["fenceId"] for name, found in action.restore_point.artifacts.items()}
    assert ids == {ONE: one.record["id"], TWO: two.record["id"]}
    source = lab.kasten.export(action.restore_point)

    good = restored(one, source)
    assert good.state is State.COMPLETE, good.error

    swapped = dict(zip((ONE, TWO), reversed([source.artifacts[ONE], source.artifacts[TWO]]), strict=True))
    bad = hook(lab, "verify-restore", expect=True)(one.manifest, swapped[ONE])
    assert bad.exit_code == 2


def test_all_or_nothing_where_one_cluster_is_refused(both: tuple[Protected, Protected]) -> None:
    one, two = both
    two.set_fenced("two-3")
    action = back_up(one)
    assert action.state is State.FAILED
    assert action.restore_point is None
    assert two.fenced == ["two-3"]
    assert one.fenced == []
    assert all(each.record.get("state") in {None, "ended"} for each in both)


def test_retry_is_a_new_call_that_takes_a_dead_runs_fence_over(both: tuple[Protected, Protected]) -> None:
    one, _ = both
    ids: list[str] = []

    def dies_first(cluster: Manifest, artifacts: Artifacts) -> HookResult:
        """The pod of the first call is lost once its fence is sealed, and its output with it."""
        result = hook(one.lab, "fence")(cluster, artifacts)
        ids.append(one.record["id"])
        return result if len(ids) > 1 else HookResult(137)

    bound = Blueprint(dies_first, hook(one.lab, "unfence", "--outcome", "success"))
    action = back_up(one, retries=2, bound=bound)
    assert action.restore_point is not None, action.error
    assert action.restore_point.artifacts[ONE]["fenceId"] == ids[1] != ids[0]
    assert one.record["verdict"] == "held"
