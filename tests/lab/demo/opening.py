"""Act 1: the walk-through's cluster, its client and its data, and an application that never pauses."""

from dataclasses import dataclass
from typing import Final

from tests.lab.client import Writer
from tests.lab.demo.evidence import health, psql, streaming, system_identifier
from tests.lab.demo.scene import CLUSTER, NAMESPACE, Scene

INSTANCES: Final = 3
CREATE_LINKS: Final = (
    "CREATE TABLE links (id SERIAL PRIMARY KEY, url VARCHAR(255) NOT NULL, name VARCHAR(255) NOT NULL, "
    "description VARCHAR(255), last_update DATE)"
)
INSERT_LINK: Final = (
    "INSERT INTO links (url, name, description, last_update) "
    "VALUES ('https://kasten.io', 'Kasten', 'Backup on Kubernetes', NOW())"
)
SELECT_LINKS: Final = "SELECT * FROM links"
TLS: Final = (
    "SELECT version || ', ' || cipher || ', client certificate ' || substring(client_dn from 'CN=[^/]+') "
    "FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
)
BUSY_COMMITS: Final = 20


@dataclass(frozen=True)
class Workload:
    """What the cluster holds and is, before anything happens to it; `writer` is at work."""

    writer: Writer
    links: str
    system_identifier: str


def open_story(scene: Scene) -> Workload:
    """Create the cluster, load the data and start the writer."""
    scene.narrator.act("A cluster at work", "three instances, TLS both ways, and writes that never stop")
    scene.narrator.busy("initdb, and two replicas by pg_basebackup")
    scene.lab.create_cluster(NAMESPACE, CLUSTER, instances=INSTANCES)
    primary = scene.lab.primary(NAMESPACE, CLUSTER)
    replicas = ", ".join(streaming(scene.lab, NAMESPACE, CLUSTER))
    scene.narrator.fact("cluster", health(scene.lab, NAMESPACE, CLUSTER))
    scene.narrator.fact("instances", f"{primary.name} is the primary; streaming from it: {replicas}")
    return Workload(*_load(scene), system_identifier(primary))


def _load(scene: Scene) -> tuple[Writer, str]:
    dsn = scene.lab.client_dsn(NAMESPACE, CLUSTER)
    session = psql(dsn, scene.lab, "\\pset tuples_only on", TLS)
    scene.narrator.fact("client", f"sslmode=verify-full, {session.splitlines()[-1].strip()}")
    psql(dsn, scene.lab, CREATE_LINKS, INSERT_LINK)
    links = psql(dsn, scene.lab, SELECT_LINKS)
    scene.narrator.fact("links", links)
    writer = Writer(dsn)
    writer.start()
    writer.wait_for(BUSY_COMMITS)
    scene.narrator.fact("writer", "one commit after another into table ledger, over the same TLS")
    return writer, links
