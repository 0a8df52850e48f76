"""Backup, loss of the namespace, restore and proof, for every shape of cluster that is supported."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from tests.lab.apiserver import PODS, PVCS
from tests.lab.lab import Lab
from tests.lab.operator.decisions import labels
from tests.lab.operator.decorations import EXCLUDED
from tests.lab.operator.names import CNPG, EDB, Dialect
from tests.scenarios.protected import ELECTED, Protected

pytestmark = pytest.mark.lab

FREE_KEYS = """
electedResourcesDecorators: [{key: vault.example/copy, metadataType: label, value: "yes"}]
excludedResourcesDecorators: [{key: vault.example/skip, metadataType: label, value: "yes"}]
backupInstanceDecorators:
- {key: vault.example/hooked, metadataType: label, value: "yes"}
- {key: vault.example/why, metadataType: annotation, value: furthest ahead}
preBackupHookConfiguration:
  container: {key: vault.example/before-in}
  command: {key: vault.example/before}
  onError: {key: vault.example/undo}
postBackupHookConfiguration:
  container: {key: vault.example/after-in}
  command: {key: vault.example/after}
aKeyOfALaterOperator: {any: thing}
"""


@dataclass(frozen=True)
class Shape:
    """A kind of cluster, and which claims of the elected instance make one restore point."""

    name: str
    dialect: Dialect = EDB
    options: Mapping[str, object] = field(default_factory=dict)
    volumes: tuple[str, ...] = ("",)
    excluded: str = EXCLUDED
    excluded_value: str = "true"


ASKED: Mapping[str, object] = {"addons": None, "annotations": {"kanfunc.io/addons": '["kasten"]'}}
SEVERAL: Mapping[str, object] = {"wal_volume": True, "tablespaces": ("archive", "hot")}
ALL = ("", "-tbs-archive", "-tbs-hot", "-wal")
FREELY = {EDB.adapter_config: FREE_KEYS}
SHAPES = (
    Shape("EDB with WAL volume and tablespaces", options=SEVERAL, volumes=ALL),
    Shape("EDB with free key names", options={
        "addons": '["external-backup-adapter-cluster"]', "annotations": FREELY
    }, excluded="vault.example/skip", excluded_value="yes"),
    Shape("EDB with synchronous replication", options={"synchronous": 1}),
    Shape("CloudNativePG", CNPG, ASKED),
    Shape("CloudNativePG with all at once", CNPG, {**ASKED, **SEVERAL, "synchronous": 1}, ALL),
)  # fmt: skip


@pytest.fixture(params=SHAPES, ids=lambda shape: shape.name)
def shape(request: pytest.FixtureRequest) -> Shape:
    found: Shape = request.param
    return found


@pytest.fixture
def shaped(lab: Lab, shape: Shape) -> Iterator[Protected]:
    cluster = Protected(lab, "shaped", dialect=shape.dialect)
    lab.create_cluster("shaped", dialect=shape.dialect, **shape.options)  # type: ignore[arg-type]
    if shape.dialect is CNPG:
        done = cluster.kanfunc("elect")
        assert done.returncode == 0, done.stderr
    yield cluster
    cluster.delete_namespace()


def test_the_whole_cycle(shaped: Protected, shape: Shape) -> None:
    write(shaped)
    source = shaped.proven_export(exclude_labels={shape.excluded: shape.excluded_value})
    claims = {snapshot["spec"]["source"]["persistentVolumeClaimName"] for snapshot in shaped.snapshots()}
    assert claims == set(shaped.record["volumes"]) == {ELECTED + suffix for suffix in shape.volumes}
    assert all((volume / "kanfunc-mark.json").exists() for volume in source.data.values())
    assert shaped.running(ELECTED)
    assert shaped.marks(ELECTED) == []

    restored = shaped.restored(source)
    done = restored.verify()
    assert done.returncode == 0, done.stderr
    restored.await_healthy()
    assert rows(restored) == [(1000,)] * len(tables(restored))
    adopted = restored.lab.store.get(PVCS, restored.namespace, ELECTED)
    assert labels(adopted)[shape.dialect.instance_role] == "primary"


def test_elected_alone_is_marked(shaped: Protected, shape: Shape) -> None:
    for resource in (PODS, PVCS):
        for each in shaped.lab.store.list(resource, shaped.namespace):
            elected = labels(each)[shape.dialect.instance_name] == ELECTED
            assert (labels(each).get(shape.excluded) == shape.excluded_value) is not elected


def tables(cluster: Protected) -> list[str]:
    """One table in each tablespace."""
    tablespaces = cluster.manifest["spec"]["tablespaces"]
    return ["pg_default", *(tablespace["name"] for tablespace in tablespaces)]


def write(cluster: Protected) -> None:
    primary = cluster.lab.primary(cluster.namespace, cluster.name)
    for name in tables(cluster):
        primary.sql(f'CREATE TABLE "in_{name}" TABLESPACE {name} AS SELECT generate_series(1, 1000)')
        primary.sql(f'CREATE VIEW "counted_{name}" AS SELECT count(*) FROM "in_{name}"')  # noqa: S608 - our own names


def rows(cluster: Protected) -> list[tuple[int]]:
    primary = cluster.lab.primary(cluster.namespace, cluster.name)
    return [row for name in tables(cluster) for row in primary.sql(f'TABLE "counted_{name}"')]
