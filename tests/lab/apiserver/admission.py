"""What the API server makes of a manifest before it stores it: pure functions over manifests."""

import json
import secrets
import time
import uuid
from typing import cast

from tests.lab.apiserver.errors import StatusError, bad_request, conflict, invalid
from tests.lab.apiserver.resources import NAMESPACES, Manifest, Resource

_SYSTEM_FIELDS = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
)
_GENERATED_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def cloned(manifest: Manifest) -> Manifest:
    """A copy that shares nothing. Raises TypeError when `manifest` holds what JSON cannot say."""
    return cast("Manifest", json.loads(json.dumps(manifest)))


def now() -> str:
    """The server's time as it stamps objects: UTC, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def admitted(resource: Resource, manifest: Manifest) -> Manifest:
    """`manifest` as a new object, without resourceVersion yet. Raises StatusError (400, 422, 500)."""
    new = _in_envelope(resource, cloned(manifest))
    metadata = new["metadata"]
    if metadata.get("resourceVersion"):
        raise StatusError(500, "", "resourceVersion should not be set on objects to be created")
    for field in _SYSTEM_FIELDS:
        metadata.pop(field, None)
    metadata["name"] = metadata.get("name") or _generated_name(resource, metadata)
    _check_namespace(resource, metadata)
    _tidy(metadata)
    metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now(), "generation": 1}
    if resource.status:
        new.pop("status", None)
    if resource.initial_phase:
        new["status"] = {"phase": resource.initial_phase}
    return new


def _in_envelope(resource: Resource, manifest: Manifest) -> Manifest:
    expected = {"apiVersion": resource.api_version, "kind": resource.kind}
    for field, value in expected.items():
        # A typed client may leave them out, because its path says them; custom resources must say them.
        if manifest.get(field, "" if resource.custom else value) != value:
            raise bad_request(f"the object provided has {field} {manifest.get(field)!r}, expected {value!r}")
    return {**expected, **manifest, "metadata": manifest.get("metadata") or {}}


def _generated_name(resource: Resource, metadata: Manifest) -> str:
    prefix: str = metadata.get("generateName", "")
    if not prefix:
        raise invalid(resource, "", "metadata.name: Required value: name or generateName is required")
    return prefix + "".join(secrets.choice(_GENERATED_ALPHABET) for _ in range(5))


def _check_namespace(resource: Resource, metadata: Manifest) -> None:
    if resource.namespaced and not metadata.get("namespace"):
        raise bad_request("an empty namespace may not be set during creation")
    if not resource.namespaced and metadata.pop("namespace", None):
        raise bad_request("namespace may not be set on a cluster-scoped object")


def _tidy(metadata: Manifest) -> None:
    for field in ("labels", "annotations"):
        entries = metadata.get(field)
        if not entries:
            metadata.pop(field, None)
        elif not all(isinstance(value, str) for value in entries.values()):
            raise bad_request(f"json: cannot unmarshal into field ObjectMeta.metadata.{field} of type string")


def check_current(resource: Resource, old: Manifest, uid: str | None, version: str | None) -> None:
    """Refuse (409 Conflict) a writer that means another incarnation or another version than `old`."""
    metadata = old["metadata"]
    if uid and uid != metadata["uid"]:
        cause = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {metadata['uid']}"
        raise conflict(resource, metadata["name"], cause)
    if version and version != metadata["resourceVersion"]:
        raise conflict(resource, metadata["name"])


def check_replacement(resource: Resource, old: Manifest, new: Manifest) -> None:
    """The additional rules of PUT: a UID is a precondition, custom resources must name their version."""
    metadata = new.get("metadata") or {}
    if resource.custom and not metadata.get("resourceVersion"):
        cause = "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update"
        raise invalid(resource, old["metadata"]["name"], cause)
    check_current(resource, old, metadata.get("uid"), None)


def succeeding(resource: Resource, old: Manifest, new: Manifest, *, status: bool) -> Manifest:
    """The object after a write of `new` over `old`, with its version; `old` itself if nothing changed.

    `status` says that the write came through the status subresource. Raises StatusError (400, 409, 422).
    """
    new = _in_envelope(resource, cloned(new))
    _check_identity(resource, old["metadata"], new["metadata"])
    check_current(resource, old, None, new["metadata"].get("resourceVersion"))
    if resource.status:
        new = _separated(old, new, status=status)
    _keep_system_fields(old["metadata"], new["metadata"])
    _tidy(new["metadata"])
    if _content(new) != _content(old):
        new["metadata"]["generation"] += 1
    return old if new == old else new


def _check_identity(resource: Resource, old: Manifest, new: Manifest) -> None:
    for field in ("name", "namespace"):
        if new.get(field, old.get(field)) != old.get(field):
            raise bad_request(
                f"the {field} of the object ({new[field]}) does not match the URL ({old.get(field)})"
            )
    if new.get("uid", old["uid"]) != old["uid"]:
        cause = f'metadata.uid: Invalid value: "{new["uid"]}": field is immutable'
        raise invalid(resource, old["name"], cause)


def _separated(old: Manifest, new: Manifest, *, status: bool) -> Manifest:
    """Through the subresource only `.status` is written, otherwise everything but that."""
    body, state = (old, new) if status else (new, old)
    separated = {key: value for key, value in cloned(body).items() if key != "status"}
    return separated | ({"status": state["status"]} if "status" in state else {})


def _keep_system_fields(old: Manifest, new: Manifest) -> None:
    for field in (*_SYSTEM_FIELDS, "name", "namespace"):
        new.pop(field, None)
        if field in old:
            new[field] = old[field]


def _content(manifest: Manifest) -> Manifest:
    return {key: value for key, value in manifest.items() if key not in {"metadata", "status"}}


def terminating(resource: Resource, manifest: Manifest) -> Manifest:
    """The object once its deletion was asked for, while something still holds it."""
    marked = cloned(manifest)
    marked["metadata"] |= {"deletionTimestamp": now(), "deletionGracePeriodSeconds": 0}
    if resource == NAMESPACES:
        marked["status"]["phase"] = "Terminating"
    return marked
