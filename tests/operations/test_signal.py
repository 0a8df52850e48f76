"""A signal in the middle of a call for several clusters."""

from datetime import timedelta
from functools import partial
from typing import cast

import pytest
from kubernetes import client

from kanfunc.domain.codec import decode, encode
from kanfunc.domain.errors import KanfuncError
from kanfunc.domain.flavour import EDB, RECORD_ANNOTATION
from kanfunc.domain.record import Record, State
from kanfunc.domain.standing import OnPrimaryLost
from kanfunc.domain.world import ClusterRef
from kanfunc.gateways.console import SystemClock
from kanfunc.gateways.kube import KubeApi
from kanfunc.operations.unfence import Outcome, UnfenceLimits, Wait, unfence
from kanfunc.ports import InstanceShell, Ports, StructureShell
from tests.builders import cluster_manifest, record
from tests.lab.apiserver import EDB_CLUSTERS, NAMESPACES, ApiServer, Delay, Fault, Request, Store
from tests.operations.conftest import interrupt

REFS = [ClusterRef("prod", name, EDB) for name in ("a", "b", "c")]
LIMITS = UnfenceLimits(
    snapshots=1,
    hook=1,
    stream=1,
    wait=Wait.RELEASED,
    repeat_within=timedelta(minutes=20),
    on_primary_lost=OnPrimaryLost.RELEASE,  # there are no pods at all
)


class Interrupted:
    """A journal during whose first line the signal comes."""

    def step(self, name: str, **_: object) -> None:
        assert name == "released"
        interrupt()

    def warn(self, name: str, **fields: object) -> None:
        """Goes unheard."""

    def output(self, key: str, value: str) -> None:
        """Goes unheard."""


def fenced(store: Store, ref: ClusterRef) -> None:
    """A Cluster without pods, whose record says that it is fenced."""
    manifest = cluster_manifest() | {"metadata": {"name": ref.name, "namespace": ref.namespace}}
    uid = store.create(EDB_CLUSTERS, manifest)["metadata"]["uid"]
    text = encode(record(State.FENCED, cluster_uid=uid))
    store.update(
        EDB_CLUSTERS,
        ref.namespace,
        ref.name,
        lambda there: there["metadata"].update(annotations={RECORD_ANNOTATION: text}),
    )


def still_live(store: Store) -> list[str]:
    """Names of the Clusters whose fence has not ended."""
    records = {
        each["metadata"]["name"]: decode(each["metadata"]["annotations"][RECORD_ANNOTATION], Record)
        for each in store.list(EDB_CLUSTERS)
    }
    return [name for name, found in records.items() if found.live]


@pytest.mark.usefixtures("signals")
def test_no_fence_is_left_without_a_word() -> None:
    """All three are worked on; the signal comes when the first is released, and the others are read late."""
    store = Store()
    store.create(NAMESPACES, {"metadata": {"name": "prod"}})
    for ref in REFS:
        fenced(store, ref)
    with ApiServer(store) as server:
        server.faults += [Fault(partial(is_read_of, name), Delay(1)) for name in ("b", "c")]
        api = KubeApi(client.Configuration(host=server.url))
        no_pods = cast("InstanceShell", None)  # nothing is exec'd where there is no pod
        no_structure = cast("StructureShell", None)
        ports = Ports(api, no_pods, no_structure, Interrupted(), SystemClock())
        with pytest.raises(KanfuncError) as failed:
            unfence(REFS, Outcome.FAILURE, ports, LIMITS)
    assert failed.value.exit_code == 4
    assert "a" not in still_live(store), "what was interrupted after its release is released"
    assert still_live(store) == ["b", "c"], "the others wait for a run that can judge them"
    assert "fence" in failed.value.left


def is_read_of(name: str, request: Request) -> bool:
    return request.name == name
