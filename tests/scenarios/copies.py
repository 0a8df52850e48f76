"""A source that subscribes to a real publisher, and the copies that are made of its proven backup."""

from dataclasses import dataclass
from pathlib import Path

from tests.lab.kasten import RestorePoint
from tests.lab.lab import Lab
from tests.lab.postgres import Server
from tests.scenarios.protected import Protected
from tests.scenarios.test_content import credentials

SUBSCRIPTION = "orders of the shop"
PASSWORD = "swordfish"  # noqa: S105 - a canary: the socket asks for none
CHECKS = """\
defaults: {user: app, database: app}
checks:
  - {name: login, kind: login, method: certificate}
"""
ROWS = "select id from orders"


@dataclass(frozen=True)
class Replicated:
    """The publisher, the source that takes its changes, and the source's backup, which was proven."""

    publisher: Server
    source: Protected
    backup: RestorePoint

    @classmethod
    def create(cls, lab: Lab) -> "Replicated":
        lab.create_cluster("publisher", "shop", instances=1, addons=None)
        publisher = lab.primary("publisher", "shop")
        publisher.sql("create table orders (id int primary key)", dbname="app")
        publisher.sql("create publication orders for table orders", dbname="app")
        lab.create_cluster("subscriber")
        source = Protected(lab, "subscriber")
        primary = lab.primary(source.namespace, source.name)
        for database in ("template1", "postgres", "app"):
            primary.sql("create extension amcheck with schema pg_catalog", dbname=database)
        primary.sql("create table orders (id int primary key)", dbname="app")
        primary.sql(
            f'create subscription "{SUBSCRIPTION}" connection \'host={publisher.environment()["PGHOST"]}'
            f" port={publisher.port} user=postgres dbname=app password={PASSWORD}'"
            " publication orders with (slot_name = orders)",
            dbname="app",
        )
        found = cls(publisher, source, RestorePoint(source.namespace, (), (), (), {}))
        found.order(1)
        found.await_row(source, 1)
        return cls(publisher, source, source.proven_export())

    def order(self, number: int) -> None:
        """A row that the publisher has from now on."""
        self.publisher.sql("insert into orders values (%s)", number, dbname="app")

    def rows(self, cluster: Protected) -> set[int]:
        server = cluster.lab.primary(cluster.namespace, cluster.name)
        return {number for (number,) in server.sql(ROWS, dbname="app")}

    def await_row(self, cluster: Protected, number: int) -> None:
        cluster.lab.wait_for(f"row {number}", lambda: number in self.rows(cluster))

    def subscribe(self, cluster: Protected, *, enabled: bool) -> None:
        """Let the publisher's slot go, as a fail-over or maintenance does, or take it up again."""
        server = cluster.lab.primary(cluster.namespace, cluster.name)
        server.sql(f'alter subscription "{SUBSCRIPTION}" {"enable" if enabled else "disable"}', dbname="app")
        if not enabled:
            working = "select 1 from pg_stat_subscription where pid is not null"
            cluster.lab.wait_for("its worker to end", lambda: not server.sql(working))

    def slot(self) -> tuple[str, bool]:
        """How far its subscriber has confirmed, and whether it is connected."""
        [(confirmed, active)] = self.publisher.sql(
            "select confirmed_flush_lsn::text, active from pg_replication_slots where slot_name = 'orders'"
        )
        return confirmed, active


def options(cluster: Protected, depth: str, folder: Path) -> tuple[str, ...]:
    """Of verify-restore at that depth."""
    if depth != "content":
        return ("--depth", depth)
    checks = folder / "checks.yaml"
    checks.write_text(CHECKS)
    shown = credentials(cluster, folder / "credentials")
    port = cluster.lab.primary(cluster.namespace, cluster.name).port
    return (
        "--depth", depth, "--checks", str(checks), "--credentials", str(shown), "--client-port", f"{port}"
    )  # fmt: skip
