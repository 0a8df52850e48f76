"""The world that acts on the objects: the operator, Kasten's snapshots, and time."""

from datetime import timedelta

from kanfunc.domain.adapter import KASTEN_ADAPTER
from tests.builders import claim_manifest, pod_manifest
from tests.lab.apiserver import PODS, PVCS, VOLUME_SNAPSHOTS, Manifest, Resource
from tests.machine.engine import STEP, Engine
from tests.machine.objects import EVERYONE, INSTANCES, Objects, Violation

TICK = timedelta(seconds=5)


class Simulation(Objects):
    """A world that moves only when it is told to."""

    # ---- the operator

    def tick(self, passed: timedelta = TICK) -> None:
        """Time passes; the operator acts on what it sees by now."""
        self.now += passed
        for pending in sorted(each for each in self.pending if each.due <= self.now):
            self.pending.remove(pending)
            if pending.lifts:
                self.lift(pending.instance)
            elif pending.instance != self.primary:  # the operator fences no primary without permission
                self.place(pending.instance)
        if not self.stalled:
            self.reconcile()

    def place(self, instance: str) -> None:
        """The operator's pre-backup command takes effect."""
        self.truth.ours.add(instance)
        self.truth.fencing.add(instance)
        if not self.is_fenced(instance):
            self.write_fences([*self.fenced, instance])

    def lift(self, instance: str) -> None:
        """The operator's post-backup or on-error command takes effect."""
        self.truth.human.discard(instance)
        self.write_fences(entry for entry in self.fenced if entry != instance)

    def reconcile(self) -> None:
        """Stop who is fenced, start who is not, elect, replicate."""
        primary = self.primary
        for name, engine in self.engines.items():
            if self.is_fenced(name):
                only_ours = name in self.truth.ours and not self.truth.human & {name, EVERYONE}
                if name == primary and only_ours and engine.running:
                    raise Violation(f"I5: the primary {name} is stopped through us")
                self._stop(engine)
            else:
                engine.start()
        self._elect()
        leader = self.engines[primary]
        for name, engine in self.engines.items():
            if name != primary and engine.running and leader.running and name not in self.lagging:
                engine.position = max(engine.position, leader.position)
                engine.timeline, engine.history = leader.timeline, list(leader.history)

    def _stop(self, engine: Engine) -> None:
        if engine.running:
            engine.stop(clean=self.clean_stops)
            engine.position -= self.lost_bytes

    def _elect(self) -> None:
        hooked = next(iter(KASTEN_ADAPTER.hooked))
        elected = [pod["metadata"]["name"] for pod in self.store.list(PODS, self.ref.namespace, hooked)]
        if elected == [self.primary]:
            self.relabel(next(name for name in INSTANCES if name != self.primary))

    def relabel(self, elected: str) -> None:
        """The adapter elects another instance."""
        for name in INSTANCES:
            self._decorate(PODS, name, pod_manifest(name, elected=name == elected))
            self._decorate(PVCS, name, claim_manifest(name, name, elected=name == elected))

    def _decorate(self, resource: Resource, name: str, manifest: Manifest) -> None:
        metadata = self.spoken(manifest)["metadata"]

        def edit(current: Manifest) -> None:
            current["metadata"].update({key: metadata.get(key) for key in ("labels", "annotations")})

        self.store.update(resource, self.ref.namespace, name, edit)

    @property
    def primary(self) -> str:
        return self.cluster().current_primary

    def lose_primary_for_good(self) -> None:
        """The primary's pod is gone with commits that nobody else has, and nobody is promoted."""
        self.commit()
        self.store.delete(PODS, self.ref.namespace, self.primary)

    def lose_primary(self) -> None:
        """The primary dies; a replica that is not fenced is promoted, the old one comes back behind it."""
        old = self.primary
        running = [name for name, engine in self.engines.items() if name != old and engine.running]
        heirs = [name for name in running if not self.is_fenced(name)]
        if not heirs:
            return
        heir = max(heirs, key=lambda name: self.engines[name].position)
        self.engines[heir].promote(self.now)
        status = {"currentPrimary": heir, "targetPrimary": heir}
        self.set_status(self.clusters, self.ref.name, status)
        self.engines[old].stop(clean=False)
        self.engines[old].position = self.engines[heir].position  # pg_rewind
        self.reconcile()

    def commit(self) -> None:
        """A user's transaction; replicas that do not lag follow at once."""
        if self.engines[self.primary].running:
            self.engines[self.primary].position += STEP
            self.reconcile()

    # ---- Kasten

    def snapshot(self, claim: str, *, cut: bool = True) -> str:
        """The UID of a new snapshot of the claim."""
        manifest = self.store.create(
            VOLUME_SNAPSHOTS,
            {
                "apiVersion": "snapshot.storage.k8s.io/v1",
                "kind": "VolumeSnapshot",
                "metadata": {"generateName": "k10-", "namespace": self.ref.namespace},
                "spec": {"source": {"persistentVolumeClaimName": claim}},
            },
        )
        uid: str = manifest["metadata"]["uid"]
        if cut:
            self.cut(manifest["metadata"]["name"])
        return uid

    def cut(self, name: str) -> None:
        """The storage freezes the data of a snapshot."""
        manifest = self.store.get(VOLUME_SNAPSHOTS, self.ref.namespace, name)
        claim = manifest["spec"]["source"]["persistentVolumeClaimName"]
        self.truth.copies[manifest["metadata"]["uid"]] = (claim, self.engines[claim].copied())
        status = {"creationTime": f"{self.now:%Y-%m-%dT%H:%M:%SZ}", "readyToUse": True}
        self.set_status(VOLUME_SNAPSHOTS, name, status)

    def snapshots(self) -> list[Manifest]:
        return self.store.list(VOLUME_SNAPSHOTS, self.ref.namespace)

    # ---- the operator's own Backup, and pods

    def begin_backup(self, instance: str) -> None:
        """It fails at once where another instance is fenced; else it joins the fence, or places its own."""
        if set(self.fenced) - {instance}:
            return
        manifest = {
            "apiVersion": f"{self.flavour.group}/{self.flavour.version}",
            "kind": "Backup",
            "metadata": {"generateName": "theirs-", "namespace": self.ref.namespace},
            "spec": {"cluster": {"name": self.ref.name}},
            "status": {"phase": "running", "instanceID": {"podName": instance}},
        }
        self.create(self.backups, manifest)
        self.truth.human.add(instance)
        self.write_fences([*self.fenced, instance])

    def end_backup(self) -> None:
        """It takes its instance out of the list, whoever else may have put it there."""
        for backup in self.running_backups():
            status = {"phase": "completed", "instanceID": {"podName": backup.instance}}
            self.set_status(self.backups, backup.name, status)
            self.lift(backup.instance)

    def replace_volume(self, name: str) -> None:
        """The volume is made anew, with the same files, and the pod with it."""
        labels = self.store.get(PVCS, self.ref.namespace, name)["metadata"]["labels"]
        self.store.delete(PVCS, self.ref.namespace, name)
        manifest = self.spoken(claim_manifest(name, name))
        manifest["metadata"]["labels"] = labels
        created = self.create(PVCS, manifest)
        self.created[created["metadata"]["uid"]] = self.now
        self.replace_pod(name)

    def replace_pod(self, name: str) -> None:
        """The pod is deleted and comes back with the same volumes; PostgreSQL stops in between."""
        self.bring_pod(name, self.delete_pod(name))

    def delete_pod(self, name: str) -> Manifest:
        """Its metadata: the pod is gone, and PostgreSQL stands."""
        labels: Manifest = self.store.get(PODS, self.ref.namespace, name)["metadata"]
        self.store.delete(PODS, self.ref.namespace, name)
        return labels

    def bring_pod(self, name: str, labels: Manifest) -> None:
        """A pod of that name, with these labels and annotations."""
        manifest = self.spoken(pod_manifest(name))
        manifest["metadata"] |= {key: labels.get(key) for key in ("labels", "annotations")}
        self.create(PODS, manifest)
        if self.engines[name].running:
            self.engines[name].stop()
            self.engines[name].start()
