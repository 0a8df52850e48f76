"""What the product asks of the API server is what its chart grants it (I10), and never a Secret.

The requests are those of the lab's API server; a real server's audit log also tells what it refuses.
"""

from collections.abc import Iterable

import pytest

from tests.chart.helm import CHART, Manifest, named, rendered
from tests.lab.apiserver import PODS, PVCS, Request, Resource
from tests.lab.lab import Lab
from tests.lab.operator.names import CNPG
from tests.scenarios.protected import ELECTED, OTHER, Protected
from tests.scenarios.test_watchdog import running

pytestmark = pytest.mark.lab

Right = tuple[str, str]
# A watch begins only where the first list did not show yet what is waited for, which is chance.
WATCHED_WHILE_WAITING = {("clusters", "watch"), ("pods", "watch"), ("volumesnapshots", "watch")}
# `create` is what newer Kubernetes asks for an exec by WebSocket, and `get` what older does.
ONLY_ON_NEWER_SERVERS = {("pods/exec", "create")}
BY_CHANCE = WATCHED_WHILE_WAITING | ONLY_ON_NEWER_SERVERS


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    entry = {"name": "edb", "namespace": "edb"}
    return rendered(CHART / "ci" / "default-values.yaml", verifications=[entry])


def granted(manifests: list[Manifest], *parts: str) -> set[Right]:
    """Resource and verb of each rule of these ClusterRoles."""
    rules = [
        rule for part in parts for rule in named(manifests, "ClusterRole", f"edb-kasten-{part}")["rules"]
    ]
    return {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


def used(requests: Iterable[Request]) -> set[Right]:
    """Discovery of what the server serves needs no right."""
    asked = [each for each in requests if each.plural]
    return {(f"{each.plural}/{each.subresource}".rstrip("/"), each.verb) for each in asked}


def test_hooks(protected: Protected, manifests: list[Manifest]) -> None:
    requests = protected.lab.api.requests
    requests.clear()
    source = protected.proven_export()  # fence, unfence
    failed = protected.fence(), protected.unfence(outcome="failure")
    verified = protected.restored(source).verify()
    assert [done.returncode for done in (*failed, verified)] == [0, 0, 0]
    rights = granted(manifests, "hook", "classes")
    assert used(requests) <= rights
    assert rights - used(requests) <= BY_CHANCE
    assert "secrets" not in {resource for resource, _ in rights}


def test_verification(protected: Protected, manifests: list[Manifest]) -> None:
    restored = protected.restored(protected.proven_export())
    requests = protected.lab.api.requests
    requests.clear()
    assert restored.verify().returncode == 0
    rights = granted(manifests, "verification")
    assert used(requests) <= rights
    assert rights - used(requests) <= BY_CHANCE


def test_watchdog(lab: Lab, manifests: list[Manifest]) -> None:
    asked = {"kanfunc.io/addons": '["kasten"]'}
    lab.create_cluster("watched", dialect=CNPG, addons=None, annotations=asked)
    cluster = Protected(lab, "watched", dialect=CNPG)
    with running(lab, "--patience", "1") as watchdog:
        lab.wait_for("an election", lambda: watchdog.metric("kanfunc_elected") == 1)
        assert cluster.fence().returncode == 0
        lab.api.requests.clear()
        cluster.expire()
        lab.wait_for("the fence to go", lambda: not cluster.fenced)
        for resource in (PODS, PVCS):
            lab.store.delete(resource, cluster.namespace, ELECTED)
        lab.wait_for("another election", lambda: _is_elected(cluster, OTHER))
    with running(
        lab, "--patience", "1"
    ) as watchdog:  # lists and watches, which the first one has made before
        lab.wait_for("all watches", watchdog.ready)
    rights = granted(manifests, "watchdog")
    assert used(lab.api.requests) <= rights
    assert rights - used(lab.api.requests) <= ONLY_ON_NEWER_SERVERS
    cluster.delete_namespace()


def _is_elected(cluster: Protected, instance: str) -> bool:
    """Its pod and its volume: whoever stops between the two has not patched both."""

    def marked(resource: Resource, mark: str) -> list[str]:
        found = cluster.lab.store.list(
            resource, cluster.namespace, labels=f"kasten-enterprisedb.io/{mark}=true"
        )
        return [each["metadata"]["name"] for each in found]

    return marked(PODS, "hasHooks") == marked(PVCS, "elected") == [instance]
