"""The objects of the simulated cluster, with the API server's rules for writing them."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from tests.lab.apiserver import admission
from tests.lab.apiserver.errors import StatusError, already_exists, not_found
from tests.lab.apiserver.journal import Change, Event, Journal, Listener, Subscription
from tests.lab.apiserver.patches import patched
from tests.lab.apiserver.resources import NAMESPACES, Manifest, Resource
from tests.lab.apiserver.selectors import Selection

Manifests: TypeAlias = list[Manifest]
_Key: TypeAlias = tuple[Resource, str, str]

# Not 1: a client that takes versions for a count from one must not get away with it.
_FIRST_VERSION = 1000


class Store:
    """Thread-safe. Manifests that come out are the caller's own; those that go in are copied.

    Every method raises StatusError where the API server would refuse. `window` is how many events a watch
    may reach back. For cluster-scoped resources `namespace` is "".
    """

    def __init__(self, window: int = 10_000) -> None:
        self._lock = threading.RLock()
        self._objects: dict[_Key, Manifest] = {}
        self._journal = Journal(_FIRST_VERSION, window)

    @property
    def resource_version(self) -> int:
        """Version of the latest change of any object."""
        with self._lock:
            return self._journal.version

    # ---- reading

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest:
        """One object. 404 NotFound."""
        with self._lock:
            return admission.cloned(self._found((resource, namespace, name)))

    def list(
        self, resource: Resource, namespace: str | None = None, labels: str = "", fields: str = ""
    ) -> Manifests:
        """The selected objects by namespace and name; `namespace` None means all of them."""
        return self.snapshot(Selection(resource, namespace, labels, fields))[0]

    def snapshot(self, selection: Selection) -> tuple[Manifests, int]:
        """The selected objects and the resource version at which they were so."""
        with self._lock:
            selected = [admission.cloned(self._objects[key]) for key in self._selected(selection)]
            return selected, self._journal.version

    def watch(self, since: int, listener: Listener) -> Sequence[Event]:
        """The events after version `since`; `listener` gets all later ones. 410 Expired.

        The listener runs in the writer's thread, under the store's lock: it must only hand the event on.
        """
        with self._lock:
            missed = self._journal.since(since)
            self._journal.listen(listener)
            return missed

    def unwatch(self, listener: Listener) -> None:
        """Stop calling a listener."""
        with self._lock:
            self._journal.ignore(listener)

    def subscribe(self, *resources: Resource) -> Subscription:
        """Events of these resources (of all, if none is named) from now on, for a thread to iterate."""
        subscription = Subscription(resources, self.unwatch)
        with self._lock:
            self._journal.listen(subscription.offer)
        return subscription

    def expire_history(self) -> None:
        """Forget all events: a watch that starts from an older version than now is too late (410)."""
        with self._lock:
            self._journal.expire()

    # ---- writing

    def create(self, resource: Resource, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Store a new object. 409 AlreadyExists, 404 for an unknown namespace, 400, 422."""
        with self._lock:
            new = admission.admitted(resource, manifest)
            key = _key(resource, new)
            if key in self._objects:
                raise already_exists(resource, key[2])
            if resource.namespaced:
                self._check_open(resource, key[1], key[2])
            if not dry_run:
                self._record("ADDED", key, new)
            return admission.cloned(new)

    def replace(
        self, resource: Resource, manifest: Manifest, *, status: bool = False, dry_run: bool = False
    ) -> Manifest:
        """PUT. 404, 409 Conflict for a stale resourceVersion or another UID, 422 without one where due."""
        with self._lock:
            key = _key(resource, manifest)
            admission.check_replacement(resource, self._found(key), manifest)
            return self._written(key, manifest, status=status, dry_run=dry_run)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Any,
        content_type: str,
        *,
        status: bool = False,
        dry_run: bool = False,
    ) -> Manifest:
        """PATCH. 404, 409 Conflict, 422 for a failed JSON patch or another UID, 400 or 415 for a bad body."""
        with self._lock:
            key = (resource, namespace, name)
            new = patched(resource, admission.cloned(self._found(key)), body, content_type)
            return self._written(key, new, status=status, dry_run=dry_run)

    def update(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        edit: Callable[[Manifest], None],
        *,
        status: bool = False,
    ) -> Manifest:
        """Read, let `edit` change the manifest in place, write: in one step, without conflicts. 404."""
        with self._lock:
            key = (resource, namespace, name)
            new = admission.cloned(self._found(key))
            edit(new)
            return self._written(key, new, status=status, dry_run=False)

    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        dry_run: bool = False,
    ) -> Manifest:
        """Delete, or mark for deletion while there are finalizers; the last state. 404, 409 Conflict.

        A namespace takes its objects along, an owner the objects that no other owner keeps.
        """
        with self._lock:
            key = (resource, namespace, name)
            old = self._found(key)
            admission.check_current(resource, old, uid, resource_version)
            return admission.cloned(old if dry_run else self._deleted(key))

    def delete_collection(self, selection: Selection) -> None:
        """Delete every selected object."""
        with self._lock:
            for key in self._selected(selection):
                self._deleted(key)

    # ---- under the lock

    def _selected(self, selection: Selection) -> Sequence[_Key]:
        keys = (key for key, manifest in self._objects.items() if selection.includes(key[0], manifest))
        return sorted(keys, key=lambda key: key[1:])

    def _found(self, key: _Key) -> Manifest:
        try:
            return self._objects[key]
        except KeyError:
            raise not_found(key[0], key[2]) from None

    def _check_open(self, resource: Resource, namespace: str, name: str) -> None:
        if self._found((NAMESPACES, "", namespace))["metadata"].get("deletionTimestamp"):
            message = (
                f'{resource.qualified_name} "{name}" is forbidden: unable to create new content in '
                f"namespace {namespace} because it is being terminated"
            )
            raise StatusError(403, "Forbidden", message)

    def _written(self, key: _Key, new: Manifest, *, status: bool, dry_run: bool) -> Manifest:
        old = self._found(key)
        new = admission.succeeding(key[0], old, new, status=status)
        if new is not old and not dry_run:
            self._record("MODIFIED", key, new)
            self._release(key)
        return admission.cloned(new)

    def _record(self, change: Change, key: _Key, new: Manifest) -> None:
        old = self._objects.pop(key, None)
        version = self._journal.version + 1
        new["metadata"]["resourceVersion"] = str(version)
        if change != "DELETED":
            self._objects[key] = new
        self._journal.record(Event(change, key[0], new, old, version))

    def _deleted(self, key: _Key) -> Manifest:
        """The last state of an object that is gone now, or soon, when finalizers or contents hold it."""
        old = self._found(key)
        if not self._held(key):
            self._remove(key)
            return old
        if not old["metadata"].get("deletionTimestamp"):
            self._record("MODIFIED", key, admission.terminating(key[0], old))
        last = self._objects[key]
        for content in self._contents(key):
            if content in self._objects:  # an owner may have taken it along
                self._deleted(content)
        return last

    def _release(self, key: _Key) -> None:
        """Remove an object that is marked for deletion, once nothing holds it any more."""
        manifest = self._objects.get(key)
        if manifest and manifest["metadata"].get("deletionTimestamp") and not self._held(key):
            self._remove(key)

    def _held(self, key: _Key) -> bool:
        return bool(self._found(key)["metadata"].get("finalizers") or self._contents(key))

    def _contents(self, key: _Key) -> Sequence[_Key]:
        return [other for other in self._objects if other[1] == key[2]] if key[0] is NAMESPACES else []

    def _remove(self, key: _Key) -> None:
        last = admission.cloned(self._found(key))
        self._record("DELETED", key, last)
        self._collect(last["metadata"]["uid"])
        if key[0].namespaced:
            self._release((NAMESPACES, "", key[1]))

    def _collect(self, owner: str) -> None:
        """Delete what `owner`, now gone, owned alone."""
        alive = {manifest["metadata"]["uid"] for manifest in self._objects.values()}
        for key, manifest in list(self._objects.items()):
            owners = {reference["uid"] for reference in manifest["metadata"].get("ownerReferences") or []}
            if owner in owners and not owners & alive and key in self._objects:
                self._deleted(key)


def _key(resource: Resource, manifest: Manifest) -> _Key:
    metadata = manifest["metadata"]
    return resource, metadata.get("namespace", "") if resource.namespaced else "", metadata["name"]
