import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.chart.helm import CHART, helm
from tests.cluster.__main__ import up
from tests.cluster.application import Application
from tests.cluster.edb.facade import Facade
from tests.cluster.findings import keep
from tests.cluster.kasten.runner import Kasten
from tests.cluster.node import node
from tests.cluster.node.addons import KASTEN_NAMESPACE
from tests.cluster.node.build import KANFUNC
from tests.cluster.node.client import apply, kubectl
from tests.cluster.node.places import EXISTING, KUBECONFIG
from tests.cluster.objects import RealObjects
from tests.cluster.resources import KASTEN_TYPES, definition
from tests.lab.apiserver import EDB_BACKUPS, EDB_CLUSTERS, Resource
from tests.lab.operator.names import CNPG, EDB, Dialect

REPOSITORY, _, TAG = KANFUNC.rpartition(":")
RELEASE = "edb-kasten"
_WHERE = (f"--namespace={KASTEN_NAMESPACE}", f"--kubeconfig={KUBECONFIG}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """A failure keeps what the cluster looked like, before anything is taken away."""
    report = yield
    if report.failed and report.when != "teardown" and (EXISTING or node.answers()):
        report.sections.append(("state of the cluster", str(keep(item.name))))
    return report


@pytest.fixture(scope="session")
def objects() -> Iterator[RealObjects]:
    """The cluster, which is stopped in the end, unless it ran before or KANFUNC_CLUSTER_KEEP is set."""
    kept = EXISTING or node.answers() or "KANFUNC_CLUSTER_KEEP" in os.environ
    if not EXISTING:
        up()
    yield RealObjects(KUBECONFIG)
    if not kept:
        node.down()


@pytest.fixture(scope="session")
def kasten(objects: RealObjects) -> Kasten:
    """Kasten's stand-in, with a namespace of its own where only restricted pods may run."""
    define(*KASTEN_TYPES)
    enforced = "pod-security.kubernetes.io/enforce=restricted"
    kubectl("label", "--overwrite", "namespace", KASTEN_NAMESPACE, enforced)
    return Kasten(objects)


@pytest.fixture(scope="session")
def facade(objects: RealObjects) -> Iterator[Facade]:
    """EDB's operator."""
    define(EDB_CLUSTERS, EDB_BACKUPS)
    with Facade(objects).acting() as facade:
        yield facade


def define(*types: Resource) -> None:
    """Custom resources that nobody else brings."""
    apply(*(definition(each) for each in types))
    kubectl("wait", "--for=condition=Established", *(f"crd/{each.qualified_name}" for each in types))


@pytest.fixture
def application(kasten: Kasten, request: pytest.FixtureRequest) -> Iterator[Application]:
    """The walk-through's, of CloudNativePG bound to its Cluster by default; it is removed in the end."""
    dialect, mode = getattr(request, "param", (CNPG, "binding"))
    if dialect is EDB:
        request.getfixturevalue("facade")
    install(dialect, mode)
    application = Application(kasten, "edb", dialect, mode)
    application.create(tablespaces=[{"name": "archive", "storage": {"size": "1Gi"}}])
    yield application
    application.delete_namespace()


def install(dialect: Dialect, mode: str, *values: str) -> None:
    """The chart, by Helm, anew or with other values."""
    flavour = "edb" if dialect is EDB else "cloudnative-pg"
    image = [f"image.repository={REPOSITORY}", f"image.tag={TAG}", "image.pullPolicy=Never"]
    settings = [f"--set-string={each}" for each in image]
    settings += [f"--set={each}" for each in (f"hooks.mode={mode}", f"flavours[0]={flavour}", *values)]
    helm("upgrade", "--install", RELEASE, str(CHART), *_WHERE, *settings, "--wait", "--timeout=120s")


def uninstall() -> None:
    """By Helm; HelmError where it refuses."""
    helm("uninstall", RELEASE, *_WHERE, "--wait", "--timeout=120s")
