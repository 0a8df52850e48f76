"""A proven backup, copies of it that are damaged in every way, and what verify-restore makes of each.

The backup is made in the lab. A copy comes up as the operator would bring it up (standby, promotion), with a
Cluster, a pod and claims in an API server of its own: a copy that cannot start spoils no other test.
"""

import copy as copying
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from kubernetes import client

from kanfunc.domain.checksfile import read_checks
from kanfunc.domain.examination import ExaminationLimits
from kanfunc.domain.finding import Depth
from kanfunc.domain.flavour import FLAVOURS
from kanfunc.domain.report import Report
from kanfunc.domain.world import ClusterRef
from kanfunc.gateways.client import PsycopgClient
from kanfunc.gateways.console import SystemClock
from kanfunc.gateways.credentials import Credentials
from kanfunc.gateways.instances import PodInstances
from kanfunc.gateways.kube import KubeApi
from kanfunc.gateways.podexec import PodExec
from kanfunc.gateways.structure import PodStructure
from kanfunc.operations.content import ContentPlan
from kanfunc.operations.verify_restore import VerifyLimits, verify_restore
from kanfunc.ports import Ports
from tests.lab.apiserver import NAMESPACES, PODS, PVCS, ApiServer, Store
from tests.lab.certificates import APPLICATION_ROLE, Authority, InstanceTls
from tests.lab.kasten import RestorePoint
from tests.lab.lab import Lab
from tests.lab.operator.manifests import Mount, pod, volumes
from tests.lab.operator.names import EDB, PG_DATA, PG_TABLESPACE, PG_WAL
from tests.lab.operator.status import set_status
from tests.lab.postgres import Server
from tests.lab.storage import copy
from tests.lab.workspace import LabError
from tests.scenarios.protected import ELECTED, Protected

DATABASE = "app"
HOST = "127.0.0.1"
PAGE = 8192
_NUMBERS = count(1)


class Silence:
    """A journal that keeps what was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, object]]] = []

    def step(self, name: str, **fields: object) -> None:
        self.told.append((name, fields))

    def warn(self, name: str, **fields: object) -> None:
        self.told.append((name, fields))

    def output(self, key: str, value: str) -> None:
        """No phase outputs here."""


@dataclass(frozen=True)
class Backups:
    """What there is to restore from: `later` is the restore point, the others are what may get mixed in."""

    lab: Lab
    earlier: RestorePoint
    later: RestorePoint
    hot: RestorePoint
    stranger: Path
    files: dict[str, str]
    """Relation -> its file, below PGDATA."""
    authority: Authority = field(default_factory=Authority.create)

    @property
    def tls(self) -> InstanceTls:
        return self.authority.instance(["cluster-example-rw", HOST])


@dataclass
class Copy:
    """One restored copy on disk, to which damage is done before it comes up."""

    backups: Backups
    root: Path
    expected: str | None = None
    recovery: bool = True
    """Whether it comes up as a standby that is promoted, as a restored replica does."""
    patience: float = 60.0
    """Seconds to wait until it has come up."""
    server: Server | None = None
    store: Store = field(default_factory=Store)

    @property
    def ref(self) -> ClusterRef:
        metadata = self.backups.later.clusters[0]["metadata"]
        return ClusterRef(metadata["namespace"], metadata["name"], FLAVOURS[0])

    @property
    def data(self) -> Path:
        return self.root / ELECTED

    @property
    def wal(self) -> Path:
        return self.root / f"{ELECTED}-wal"

    @property
    def tablespace(self) -> Path:
        return self.root / f"{ELECTED}-tbs-hot"

    def file(self, relation: str, fork: str = "") -> Path:
        """First file of a relation."""
        path = self.backups.files[relation]
        if path.startswith("pg_tblspc/"):
            return self.tablespace / "hot" / path.split("/", 2)[2]
        return self.data / "pgdata" / f"{path}{fork}"

    def exchange(self, volume: str, source: RestorePoint) -> None:
        """Exchange the volume of a claim for that of another restore point."""
        shutil.rmtree(self.root / volume)
        copy(source.data[volume], self.root / volume)

    def program(self, name: str, *arguments: str) -> str:
        lab = self.backups.lab
        return lab.workspace.run([lab.binaries.directory / name, *arguments])


def make_backups(lab: Lab) -> Backups:
    """Two fences of one cluster with WAL and tablespace volumes, a hot copy, and a stranger's volume."""
    lab.create_cluster("damage", wal_volume=True, tablespaces=("hot",))
    cluster = Protected(lab, "damage")
    primary = lab.primary(cluster.namespace, cluster.name)
    for database in ("template1", "postgres", DATABASE):
        primary.sql("create extension amcheck schema pg_catalog", dbname=database)
    for statement in _CONTENT.split(";\n"):
        primary.sql(statement, dbname=DATABASE)
    rows = primary.sql(_FILES, dbname=DATABASE)
    earlier = cluster.proven_export()
    primary.sql(
        "insert into items (payload) select repeat('b', 100) from generate_series(1, 50)", dbname="app"
    )
    primary.sql("checkpoint")  # what WAL replays is written anew: damage to it would heal
    later = cluster.proven_export()
    cluster.await_healthy()
    primary.sql("insert into items (payload) values ('hot')", dbname=DATABASE)
    hot = cluster.hot_export()
    cluster.delete_namespace()
    lab.create_cluster("stranger", instances=1, addons=None)
    stranger = Protected(lab, "stranger")
    foreign = stranger.hot_export().data["cluster-example-1"]
    stranger.delete_namespace()
    return Backups(lab, earlier, later, hot, foreign, dict(rows))


_CONTENT = """
create table items (id bigserial primary key, payload text);
insert into items (payload) select repeat('a', 100) from generate_series(1, 4000);
create table documents (id int primary key, body text);
alter table documents alter body set storage external;
insert into documents select g, repeat(md5(g::text), 300) from generate_series(1, 40) g;
create table warm (id int primary key, payload text) tablespace hot;
insert into warm select g, repeat('w', 100) from generate_series(1, 500) g;
create table unvacuumed (id int primary key, payload text) with (autovacuum_enabled = off);
insert into unvacuumed select g, repeat('u', 100) from generate_series(1, 2000) g;
create table sparse (id int primary key, payload text) with (autovacuum_enabled = off);
insert into sparse select g, repeat('s', 100) from generate_series(1, 2000) g;
create index documents_gin on documents using gin (string_to_array(left(body, 100), '4'));
create extension pgcrypto;
grant select on all tables in schema public to app;
grant select on all sequences in schema public to app;
vacuum (freeze, analyze) items;
vacuum (freeze, analyze) documents;
vacuum (freeze, analyze) warm;
vacuum (freeze, analyze) sparse;
delete from sparse where id % 2 = 0;
checkpoint"""

_FILES = """
select relname, pg_relation_filepath(oid) from pg_class
 where relname in ('items', 'items_pkey', 'documents', 'warm', 'unvacuumed', 'sparse', 'documents_gin')
union all
select 'toast', pg_relation_filepath(reltoastrelid) from pg_class where relname = 'documents'"""


@contextmanager
def restored(backups: Backups, *, checksums: bool) -> Iterator[Copy]:
    """A copy of the later backup, which goes in the end, with whatever runs on it."""
    root = backups.lab.workspace.directory("damaged", f"{next(_NUMBERS)}")
    for claim, source in backups.later.data.items():
        copy(source, root / claim)
    found = Copy(backups, root)
    if not checksums:
        found.program("pg_checksums", "--disable", "--no-sync", "-D", str(found.data / "pgdata"))
    _put(found)
    try:
        yield found
    finally:
        if found.server:
            found.server.stop("immediate")
        shutil.rmtree(root)


def start(copied: Copy) -> str:
    """Bring it up as the primary; what PostgreSQL says where it does not start, else nothing."""
    lab = copied.backups.lab
    copied.server = Server(
        lab.workspace,
        lab.binaries,
        name=ELECTED,
        volume=copied.data,
        wal_volume=copied.wal,
        tablespaces={"hot": copied.tablespace},
        tls=copied.backups.tls,
    )
    try:
        copied.server.configure()
        copied.server.start(standby=copied.recovery, seconds=copied.patience)
        if copied.recovery:
            copied.server.promote()
    except LabError as failure:
        return str(failure)
    return ""


def verify(
    copied: Copy,
    then: Callable[[Server], object] | None = None,
    fingerprints: Mapping[str, str] | None = None,
) -> Report:
    """verify-restore in this process, over real gateways: of all depths where there are fingerprints."""
    server = copied.server
    assert server is not None
    if then:
        then(server)
    with ApiServer(copied.store, server.exec) as api:
        configuration = client.Configuration(host=api.url)
        pods = PodExec(configuration)
        ports = Ports(
            KubeApi(configuration), PodInstances(pods), PodStructure(pods), Silence(), SystemClock()
        )
        limits = LIMITS
        if fingerprints is not None:
            plan = _plan(copied, server, fingerprints)
            limits = replace(LIMITS, depth=Depth.CONTENT, content=plan)
        return verify_restore(copied.ref, copied.expected, ports, limits)


TABLES = ("items", "documents", "unvacuumed")


def _plan(copied: Copy, server: Server, fingerprints: Mapping[str, str]) -> ContentPlan:
    """The extension, and what each table held, asked as the application asks."""
    checks = ["checks:", "  - {name: extension, kind: extensions, required: [pgcrypto]}"]
    checks.append("  - {name: sequences, kind: sequences}")
    for table in TABLES:
        known = fingerprints.get(table, "0" * 64)
        checks.append(f"  - {{name: {table}, kind: table, table: {table}, fingerprint: '{known}'}}")
    folder = copied.root / "credentials"
    shown = folder / APPLICATION_ROLE
    shown.mkdir(parents=True)
    certificate = copied.backups.authority.client(APPLICATION_ROLE)
    (folder / "ca.crt").write_bytes(copied.backups.authority.certificate)
    (shown / "tls.crt").write_bytes(certificate.certificate)
    (shown / "tls.key").write_bytes(certificate.key)
    read, digest = read_checks("\n".join(checks).encode(), "checks.yaml")
    return ContentPlan(read, digest, PsycopgClient(Credentials(folder), server.port), HOST)


def fingerprints_of(backups: Backups) -> dict[str, str]:
    """Of the tables of an undamaged restore, as its report tells them."""
    with restored(backups, checksums=True) as copied:
        assert not start(copied)
        report = verify(copied, fingerprints={})
    found = {finding.check: finding.found for finding in report.findings}
    return {table: found[table].rpartition(" ")[2] for table in TABLES}


def _put(copied: Copy) -> None:
    """The objects of a restored cluster whose operator has done its work."""
    source, store = copied.backups.later, copied.store
    manifest = _renewed(source.clusters[0])
    manifest["metadata"]["annotations"].pop("kanfunc.io/fence", None)
    manifest["metadata"]["annotations"].pop(EDB.fenced_instances, None)
    namespace = copied.ref.namespace
    store.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    for claim in source.claims:
        store.create(PVCS, _renewed(claim))
    stored = store.create(EDB.clusters, manifest)
    set_status(store, stored, currentPrimary=ELECTED, targetPrimary=ELECTED)
    mounts = [
        Mount(volume, volume.claim(ELECTED), str(copied.root / volume.claim(ELECTED)))
        for volume in volumes(stored)
        if volume.role in {PG_DATA, PG_WAL, PG_TABLESPACE}
    ]
    store.create(PODS, pod(stored, ELECTED, "primary", str(copied.data / "pgdata"), mounts))

    def ready(found: dict[str, Any]) -> None:
        found["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}

    store.update(PODS, namespace, ELECTED, ready, status=True)


def _renewed(manifest: dict[str, Any]) -> dict[str, Any]:
    kept = ("name", "namespace", "labels", "annotations")
    fresh = copying.deepcopy({key: value for key, value in manifest.items() if key != "status"})
    fresh["metadata"] = {key: value for key, value in fresh["metadata"].items() if key in kept}
    return fresh


LIMITS = VerifyLimits(
    primary=30,
    replicas=None,
    clock_tolerance=timedelta(0),
    depth=Depth.STRUCTURE,
    structure=ExaminationLimits(seconds=60),
)
