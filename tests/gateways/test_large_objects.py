"""Objects are as large as their owner likes, up to a megabyte and a half: one's do not stop the others."""

import subprocess
import sys

import pytest

from tests.builders import cluster_manifest, pod_manifest
from tests.lab.apiserver import EDB_CLUSTERS, NAMESPACES, PODS, ApiServer, Store

MANY, MEGABYTE = 150, 1_000_000
LIMIT = 400
"""Megabytes, of the 512 that the chart gives the watchdog; two such lists may come together."""
LIST = """
import sys
from kubernetes import client
from kanfunc.domain.flavour import EDB
from kanfunc.gateways import kubeclient
from kanfunc.gateways.fleet import KubeFleet
fleet = KubeFleet(kubeclient.tuned(client.Configuration(host=sys.argv[1])))
print(len(next(iter(getattr(fleet, sys.argv[2])(EDB, None)))))
print(int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) // 1024)
"""


def filled(kind: str) -> Store:
    store, large = Store(), "x" * MEGABYTE
    store.create(NAMESPACES, {"metadata": {"name": "prod"}})
    for number in range(MANY):
        if kind == "clusters":
            manifest = cluster_manifest()
            metadata = {"name": f"c{number}", "namespace": "prod"}
            spec = {**manifest.get("spec", {}), "bootstrap": {"initdb": {"postInitSQL": [large]}}}
            store.create(EDB_CLUSTERS, {**manifest, "metadata": metadata, "spec": spec})
        else:
            manifest = pod_manifest("pg-2")
            manifest["metadata"]["name"] = f"p{number}"
            manifest["spec"]["containers"][0]["args"] = [large]
            store.create(PODS, manifest)
    return store


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["clusters", "pods"])
def test_a_list_of_large_ones(kind: str) -> None:
    with ApiServer(filled(kind)) as server:
        listed = subprocess.run(
            [sys.executable, "-c", LIST, server.url, kind], capture_output=True, text=True, check=True
        )
    _, resident = map(int, listed.stdout.split())
    assert resident < LIMIT / 2
