import os
from collections.abc import Iterator

import pytest

from tests.chart.helm import CHART, helm
from tests.cluster.__main__ import up
from tests.cluster.application import Application
from tests.cluster.node import node
from tests.cluster.node.addons import KASTEN_NAMESPACE
from tests.cluster.node.build import KANFUNC
from tests.cluster.node.client import apply, kubectl
from tests.cluster.node.places import KUBECONFIG
from tests.cluster.objects import RealObjects
from tests.cluster.resources import KASTEN_TYPES, definition

REPOSITORY, TAG = KANFUNC.split(":")


@pytest.fixture(scope="session")
def objects() -> Iterator[RealObjects]:
    """The cluster, which is stopped in the end, unless it ran before or KANFUNC_CLUSTER_KEEP is set."""
    kept = node.answers() or "KANFUNC_CLUSTER_KEEP" in os.environ
    up()
    yield RealObjects(KUBECONFIG)
    if not kept:
        node.down()


@pytest.fixture(scope="session")
def installed(objects: RealObjects) -> RealObjects:
    """The chart, by Helm."""
    apply(*(definition(each) for each in KASTEN_TYPES))
    kubectl("wait", "--for=condition=Established", *(f"crd/{each.qualified_name}" for each in KASTEN_TYPES))
    enforced = "pod-security.kubernetes.io/enforce=restricted"
    kubectl("label", "--overwrite", "namespace", KASTEN_NAMESPACE, enforced)
    upgrade()
    return objects


def upgrade(*options: str) -> None:
    """Install the chart, or give it other values."""
    image = [f"image.repository={REPOSITORY}", f"image.tag={TAG}", "image.pullPolicy=Never"]
    values = [f"--set-string={each}" for each in (*image, *options)]
    where = [f"--namespace={KASTEN_NAMESPACE}", f"--kubeconfig={KUBECONFIG}"]
    helm("upgrade", "--install", "edb-kasten", str(CHART), *where, *values, "--wait", "--timeout=120s")


@pytest.fixture
def application(installed: RealObjects) -> Iterator[Application]:
    """The walk-through's; its namespace is removed in the end."""
    application = Application(installed, "edb")
    application.create()
    yield application
    application.delete_namespace()
