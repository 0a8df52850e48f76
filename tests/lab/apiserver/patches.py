"""PATCH bodies: RFC 7396 merge patches and RFC 6902 JSON patches, with the API server's own readings."""

from typing import Any

import jsonpatch
import jsonpointer

from tests.lab.apiserver.errors import StatusError, bad_request
from tests.lab.apiserver.resources import Manifest, Resource

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"

_ABSENT = object()


def patched(resource: Resource, manifest: Manifest, body: Any, content_type: str) -> Manifest:
    """`manifest` with the patch applied; the original may have been changed on the way: hand in a copy.

    Strategic merge patches are read as merge patches: lists are replaced, not merged by key.
    Raises StatusError: 415 for a content type that the resource does not take, 400 for a body that does
    not fit the content type, 422 for a JSON patch whose test fails or whose path is not there.
    """
    if content_type == JSON_PATCH:
        return _json_patched(manifest, body)
    if content_type == MERGE_PATCH or (content_type == STRATEGIC_MERGE_PATCH and not resource.custom):
        return _merge_patched(manifest, body)
    raise StatusError(
        415,
        "UnsupportedMediaType",
        f"the body of the request was in an unknown format - accepted media types include: {JSON_PATCH}, "
        f"{MERGE_PATCH}{'' if resource.custom else ', ' + STRATEGIC_MERGE_PATCH}",
    )


def _merge_patched(manifest: Manifest, body: Any) -> Manifest:
    if not isinstance(body, dict):
        raise bad_request("error decoding patch: json: cannot unmarshal array into Go value of type map")
    merged = _merged(manifest, body)
    assert isinstance(merged, dict)
    return merged


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def _json_patched(manifest: Manifest, body: Any) -> Manifest:
    if not isinstance(body, list):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    try:
        for operation in body:
            manifest = jsonpatch.apply_patch(manifest, _as_server_reads(operation, manifest), in_place=True)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        # The API server does not say which operation failed: nor may we.
        message = "the server rejected our request due to an error in our request"
        raise StatusError(422, "Invalid", message) from error
    return manifest


def _as_server_reads(operation: Manifest, manifest: Manifest) -> list[Manifest]:
    """The operation in strict RFC 6902.

    The API server's library (evanphx/json-patch 4.12) takes a member that is not there for null: testing
    it for null succeeds, and replacing it adds it.
    """
    kind, path = operation.get("op"), operation.get("path")
    if kind not in {"test", "replace"} or not isinstance(path, str) or not path:
        return [operation]
    parent = jsonpointer.resolve_pointer(manifest, path.rpartition("/")[0])
    member = jsonpointer.resolve_pointer(manifest, path, _ABSENT)
    if not isinstance(parent, dict) or member is not _ABSENT:
        return [operation]
    if kind == "replace":
        return [{**operation, "op": "add"}]
    return [] if operation.get("value", _ABSENT) is None else [operation]
