"""PostgreSQL in containers behind a simulated API server: what the image's container finds in a cluster."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from kanfunc.domain.flavour import CNPG
from tests.image.engine import OPERAND, PRODUCT
from tests.lab.apiserver import (
    CNPG_CLUSTERS,
    PVCS,
    STORAGE_CLASSES,
    VOLUME_SNAPSHOT_CLASSES,
    VOLUME_SNAPSHOTS,
    ApiServer,
    ExecRequest,
    Reply,
    Spawn,
    StatusError,
)
from tests.lab.certificates import REPLICATION_ROLE, Authority
from tests.lab.operator.decisions import is_fenced
from tests.lab.operator.manifests import snapshot_class, storage_class
from tests.lab.operator.names import STORAGE_CLASS
from tests.machine.objects import INSTANCES, Objects

PRIMARY, ELECTED, _ = INSTANCES
MODE_READABLE = 0o644
RESTRICTED: dict[str, Any] = {
    "user": "12345:0",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "network_mode": "host",
}
CONFIGURATION = """\
cat >> "$PGDATA/postgresql.conf" <<'END'
listen_addresses = '*'
ssl = on
ssl_cert_file = '/keys/server.crt'
ssl_key_file = '/keys/server.key'
ssl_ca_file = '/keys/ca.crt'
fsync = off
hot_standby = on
END
cat > "$PGDATA/pg_hba.conf" <<'END'
local all all trust
hostssl replication streaming_replica all cert
END
"""
VOLUME = "/var/lib/postgresql/data"  # where the manifests say that it is
START = f"pg_ctl start --wait --silent --log={VOLUME}/postgresql.log"


@dataclass(frozen=True)
class Finished:
    """A container of the product that has ended."""

    code: int
    output: str


class Operand:
    """One instance in its container; all its keys are files that only PostgreSQL's user reads."""

    def __init__(self, name: str, network: Network, authority: Authority) -> None:
        tls = authority.instance([name])
        files = {
            "ca.crt": tls.authority,
            "server.crt": tls.server.certificate,
            "server.key": tls.server.key,
            "client.crt": tls.replication.certificate,
            "client.key": tls.replication.key,
        }
        self.name = name
        self.container = DockerContainer(
            OPERAND,
            network=network,
            network_aliases=[name],
            transferables=[(data, f"/tmp/{file}", MODE_READABLE) for file, data in files.items()],  # noqa: S108
        )

    def sh(self, script: str) -> str:
        """Output of a script; RuntimeError where it fails."""
        result = self.container.exec(["sh", "-ec", script])
        if result.exit_code:
            raise RuntimeError(f"{self.name}: {script}\n{result.output.decode()}")
        return result.output.decode()

    def sql(self, statement: str) -> str:
        return self.sh(f'psql -XAtq -c "{statement}"').strip()

    @property
    def running(self) -> bool:
        return self.container.exec(["pg_ctl", "status"]).exit_code == 0

    def install_keys(self) -> None:
        """PostgreSQL takes a key only from a file of its own."""
        self.sh("for f in /tmp/*.crt /tmp/*.key; do install -m 600 $f /keys/; done")

    def lead(self) -> None:
        self.install_keys()
        self.sh(f"initdb --no-sync --auth=trust >/dev/null; {CONFIGURATION}\n{START}")
        self.sql(f"CREATE ROLE {REPLICATION_ROLE} LOGIN REPLICATION")

    def follow(self, primary: str) -> None:
        self.install_keys()
        conninfo = (
            f"host={primary} user={REPLICATION_ROLE} application_name={self.name} sslmode=verify-full "
            "sslcert=/keys/client.crt sslkey=/keys/client.key sslrootcert=/keys/ca.crt"
        )
        self.sh(
            f'pg_basebackup --pgdata="$PGDATA" --checkpoint=fast --write-recovery-conf --dbname="{conninfo}"'
        )
        self.sh(START)


class World(Objects):
    """Three instances, the operator that stops and starts them, and the API server in front."""

    def __init__(self, network: Network, directory: Path) -> None:
        super().__init__(CNPG)
        self.operands = {}
        authority = Authority.create()
        for name in INSTANCES:
            self.operands[name] = Operand(name, network, authority)
        self.api = ApiServer(self.store, self._exec)
        self._kubeconfig = directory / "kubeconfig"
        self._closing = threading.Event()
        self._operator = threading.Thread(target=self._operate, daemon=True)
        self.store.create(STORAGE_CLASSES, storage_class())
        self.store.create(VOLUME_SNAPSHOT_CLASSES, snapshot_class())
        for name in INSTANCES:
            self.store.update(PVCS, self.ref.namespace, name, _of_our_class)

    @classmethod
    @contextmanager
    def open(cls, directory: Path) -> Iterator["World"]:
        """Everything runs and streams; nothing is left in the end."""
        with ExitStack() as stack:
            world = cls(stack.enter_context(Network()), directory)
            for operand in world.operands.values():
                stack.enter_context(operand.container)
            primary, *replicas = world.operands.values()
            primary.lead()
            for replica in replicas:
                replica.follow(primary.name)
            stack.enter_context(world.api)
            world.api.write_kubeconfig(world._kubeconfig)
            world._kubeconfig.chmod(MODE_READABLE)
            world._operator.start()
            stack.callback(world._operator.join)
            stack.callback(world._closing.set)
            yield world

    def product(self, *command: str, **options: Any) -> DockerContainer:
        """A container of the product, as restricted as Kubernetes' strictest standard, and read-only."""
        return DockerContainer(
            PRODUCT,
            env={"KUBECONFIG": "/kubeconfig"},
            volumes=[(str(self._kubeconfig), "/kubeconfig", "ro")],
            **RESTRICTED | options,
        ).with_command(list(command))

    def run(self, *command: str) -> Finished:
        """Run it to its end."""
        with self.product("kanfunc", *command) as container:
            code = container.wait()
            stdout, stderr = container.get_logs()
        return Finished(int(code), (stdout + stderr).decode())

    def kanfunc(self, verb: str, *options: str) -> Finished:
        return self.run(verb, "--namespace", self.ref.namespace, "--flavour", "cloudnative-pg", *options)

    def snapshot(self, claim: str) -> None:
        """A snapshot that is cut at once."""
        created = self.store.create(
            VOLUME_SNAPSHOTS,
            {
                "apiVersion": VOLUME_SNAPSHOTS.api_version,
                "kind": "VolumeSnapshot",
                "metadata": {"generateName": "snapshot-", "namespace": self.ref.namespace},
                "spec": {"source": {"persistentVolumeClaimName": claim}},
            },
        )
        metadata = created["metadata"]
        status = {"creationTime": metadata["creationTimestamp"], "readyToUse": True}
        self.set_status(VOLUME_SNAPSHOTS, metadata["name"], status)

    def _exec(self, request: ExecRequest) -> Spawn | Reply:
        if request.pod not in self.operands:
            raise StatusError(404, "NotFound", f'pods "{request.pod}" not found')
        container = self.operands[request.pod].container.get_wrapped_container()
        path = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
        return Spawn(["docker", "exec", container.id, *request.command], path, "/")

    def _operate(self) -> None:
        with self.store.subscribe(CNPG_CLUSTERS) as changes:
            while not self._closing.is_set():
                changes.next(0.2)
                cluster = self.store.get(CNPG_CLUSTERS, self.ref.namespace, self.ref.name)
                for name, operand in self.operands.items():
                    if is_fenced(cluster, name) and operand.running:
                        operand.sh("pg_ctl stop --mode=fast --wait --silent")
                    elif not is_fenced(cluster, name) and not operand.running:
                        operand.sh(START)


def _of_our_class(claim: dict[str, Any]) -> None:
    claim["spec"]["storageClassName"] = STORAGE_CLASS
