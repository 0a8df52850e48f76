"""One cluster under the operator's care: driven, step by step, to what its manifest says."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from tests.lab.apiserver import PODS, PVCS, StatusError
from tests.lab.operator.bootstrap import adopt, create_claims
from tests.lab.operator.credentials import ensure_authority, ensure_credentials
from tests.lab.operator.decisions import elect, is_fenced, is_hibernated, labels, next_serial
from tests.lab.operator.instance import Instance, Settings
from tests.lab.operator.manifests import condition, is_met, pod, service_names
from tests.lab.operator.names import PRIMARY, REPLICA, Manifest, dialect_of, instance_name
from tests.lab.operator.runtime import Runtime
from tests.lab.operator.status import label_roles, report, set_status


class ClusterController:
    """Level-triggered: `reconcile` may be called at any time and does whatever is missing.

    `instances` are those that exist, by name; only the operator's thread changes them.
    """

    def __init__(self, runtime: Runtime, cluster: Manifest) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self.dialect = dialect_of(cluster)
        self.namespace: str = cluster["metadata"]["namespace"]
        self.name: str = cluster["metadata"]["name"]
        self.instances: dict[str, Instance] = {}
        self._tls = ensure_authority(self._store, cluster).instance(service_names(cluster))
        ensure_credentials(self._store, cluster)

    def reconcile(self) -> None:
        """Bring the cluster nearer to its manifest.

        Raises StatusError when the world changed meanwhile: call again.
        """
        if not is_met(self._read(), "Initialized"):
            self._initialise(self._read())
        if is_hibernated(self._read()):
            self._hibernate()
            return
        self._forget_destroyed()
        self._switch_over(self._read())
        self._apply_fences(self._read())
        self._scale_up(self._read())
        cluster = self._read()
        for instance in self.instances.values():
            self._keep_pod(cluster, instance)
        label_roles(self._store, cluster, cluster["status"]["currentPrimary"])
        self._replicate_synchronously(cluster)
        lag = self._runtime.faults.readiness_lag
        report(self._store, cluster, {name: each.is_ready(lag) for name, each in self.instances.items()})

    def _replicate_synchronously(self, cluster: Manifest) -> None:
        """Name every instance, the primary too, as CloudNativePG was observed to do."""
        primary = self.instances.get(cluster["status"]["currentPrimary"])
        wanted = cluster["spec"].get("postgresql", {}).get("synchronous")
        if wanted and primary and primary.server.running:
            names = ",".join(f'"{name}"' for name in sorted(self.instances))
            standbys = f"{wanted['method'].upper()} {wanted['number']} ({names})"
            primary.server.adjust(synchronous_standby_names=standbys)

    def _hibernate(self) -> None:
        """Stop all, the primary first, so that the replicas get everything; only the volumes stay."""
        primary = self._read()["status"]["currentPrimary"]
        for name in sorted(self.instances, key=lambda name: name != primary):
            self.instances[name].stop()
            with suppress(StatusError):  # gone already
                self._store.delete(PODS, self.namespace, name)
        report(self._store, self._read(), {})
        set_status(self._store, self._read(), conditions=[condition(self.dialect.hibernation, met=True)])

    def dispose(self) -> None:
        """Stop everything: the Cluster is gone."""
        for instance in self.instances.values():
            instance.stop("immediate")
        self.instances.clear()

    def _read(self) -> Manifest:
        return self._store.get(self.dialect.clusters, self.namespace, self.name)

    def _settings(self, cluster: Manifest) -> Settings:
        return Settings.of(cluster, self._runtime.workspace.directory("archives"))

    def _attach(self, cluster: Manifest, name: str) -> Instance:
        self.instances[name] = Instance.attach(self._runtime, cluster, name, self._tls)
        return self.instances[name]

    def _initialise(self, cluster: Manifest) -> None:
        adopted = adopt(self._runtime, cluster)
        if adopted is None:
            primary = self._create_claims(cluster, PRIMARY)
            set_status(self._store, cluster, phase="Setting up primary", targetPrimary=primary)
            self._attach(cluster, primary).server.initdb()
        else:
            primary = instance_name(self.name, adopted.primary)
            set_status(self._store, cluster, phase="Setting up primary", targetPrimary=primary)
            for serial in adopted.serials:
                self._attach(cluster, instance_name(self.name, serial))
        leader = self.instances[primary]
        leader.lead(self._settings(cluster))
        if adopted is None:
            leader.server.create_roles()
            leader.server.create_tablespaces()
        set_status(
            self._store, cluster, currentPrimary=primary, conditions=[condition("Initialized", met=True)]
        )

    def _forget_destroyed(self) -> None:
        present = {claim["metadata"]["uid"] for claim in self._store.list(PVCS, self.namespace)}
        for name, instance in list(self.instances.items()):
            if not present.issuperset(instance.claim_uids):
                instance.stop("immediate")
                del self.instances[name]
                self._delete_remains(name, instance)

    def _delete_remains(self, name: str, instance: Instance) -> None:
        remains = [(PODS, name), *((PVCS, mount.claim) for mount in instance.mounts)]
        for resource, remain in remains:
            with suppress(StatusError):  # gone already
                self._store.delete(resource, self.namespace, remain)

    def _switch_over(self, cluster: Manifest) -> None:
        current, target = cluster["status"]["currentPrimary"], cluster["status"]["targetPrimary"]
        if target not in self.instances:
            target = self._successor(cluster)
            set_status(self._store, cluster, targetPrimary=target)
        if target == current or is_fenced(cluster, target):
            return  # the real one, too, waits for a fenced target to be unfenced
        set_status(self._store, cluster, phase="Switchover in progress")
        if current in self.instances:
            self.instances[current].stop()
        self.instances[target].lead(self._settings(cluster))
        for name in self.instances.keys() - {target}:
            self.instances[name].stop()  # to be started again behind the new primary
        set_status(self._store, cluster, currentPrimary=target)

    def _successor(self, cluster: Manifest) -> str:
        """Fail over to the instance furthest ahead; a fenced one only where there is no other."""
        running = [each for each in self.instances.values() if each.server.running]
        positions = {each.name: each.position() for each in running}
        return elect(None, list(self.instances), positions) or cluster["status"]["targetPrimary"]

    def _apply_fences(self, cluster: Manifest) -> None:
        faults, primary = self._runtime.faults, cluster["status"]["currentPrimary"]
        for name in sorted(self.instances, key=lambda name: (name != primary, name)):
            instance = self.instances[name]
            if is_fenced(cluster, name) and not faults.ignore_fence:
                instance.stop(faults.stop_mode)
            elif not instance.server.running:
                self._start(cluster, instance)

    def _start(self, cluster: Manifest, instance: Instance) -> None:
        primary = cluster["status"]["currentPrimary"]
        if instance.name == primary:
            instance.lead(self._settings(cluster))
        else:
            instance.follow(self.instances.get(primary), self._settings(cluster))

    def _scale_up(self, cluster: Manifest) -> None:
        missing = cluster["spec"]["instances"] - len(self.instances)
        primary = self.instances.get(cluster["status"]["currentPrimary"])
        if missing <= 0 or primary is None or not primary.server.running:
            return
        set_status(self._store, cluster, phase="Creating a new replica")
        names: list[str] = []
        for _ in range(missing):
            names.append(self._create_claims(cluster, REPLICA, *names))
        with ThreadPoolExecutor(missing) as pool:
            replicas = pool.map(lambda name: self._clone(cluster, name, primary), names)
            self.instances |= {replica.name: replica for replica in replicas}

    def _clone(self, cluster: Manifest, name: str, primary: Instance) -> Instance:
        replica = Instance.attach(self._runtime, cluster, name, self._tls)
        replica.server.clone_from(primary.server)
        replica.follow(primary, self._settings(cluster))
        return replica

    def _create_claims(self, cluster: Manifest, role: str, *pending: str) -> str:
        """Create the claims of the next instance, after all that are there or `pending`; its name."""
        claims = self._store.list(PVCS, self.namespace, labels=f"{self.dialect.cluster}={self.name}")
        taken = {labels(claim)[self.dialect.instance_name] for claim in claims}
        serial = next_serial([*self.instances, *pending], taken)
        return create_claims(self._runtime, cluster, serial, role)

    def _keep_pod(self, cluster: Manifest, instance: Instance) -> None:
        pods = {each["metadata"]["name"]: each for each in self._store.list(PODS, self.namespace)}
        current = pods.get(instance.name) or self._store.create(PODS, self._pod(cluster, instance))
        instance.replace_pod(current["metadata"]["uid"])

    def _pod(self, cluster: Manifest, instance: Instance) -> Manifest:
        role = PRIMARY if instance.name == cluster["status"]["currentPrimary"] else REPLICA
        return pod(cluster, instance.name, role, str(instance.server.pgdata), instance.mounts)
