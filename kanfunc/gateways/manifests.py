"""What the API server sends, as plain JSON: also where one object is made to stop whoever reads it.

A list holds the objects of all. One of them nested more deeply than Python can follow would spoil it for the
others, so what is nested that deeply is cut off: nothing that we read lies there.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from kubernetes import watch
from kubernetes.client.exceptions import ApiException

from kanfunc.domain.errors import ApiFailed, KanfuncError
from kanfunc.domain.flavour import Flavour
from kanfunc.domain.manifest import Manifest
from kanfunc.domain.unexpected import what_of
from kanfunc.domain.world import Cluster, ClusterRef, Listed, Unreadable

_DEEPEST = 100
"""Levels: a list of pods has about fifteen."""
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def parsed(text: bytes) -> Manifest:
    """The object in it; ValueError where there is none."""
    try:
        found = json.loads(text)
    except RecursionError:
        found = json.loads(b"".join(_shallow(text)))
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found


def _shallow(text: bytes) -> Iterator[bytes]:
    """The text with `null` for whatever is nested too deeply."""
    depth, begin = 0, 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in b"[{":
            depth += 1
            if depth == _DEEPEST:
                yield text[begin : token.start()] + b"null"
        elif mark in b"]}":
            if depth == _DEEPEST:
                begin = token.end()
            depth -= 1
    yield text[begin:]


class Watch(watch.Watch):
    """The client's watch without its models. A Status in the stream is told as any other."""

    def __init__(self) -> None:
        super().__init__("object")  # type: ignore[no-untyped-call]  # client's gap

    def unmarshal_event(self, data: str, return_type: object) -> Any:
        """See Watch; an event of which nothing can be made breaks the watch."""
        del return_type
        event = dict(parsed(data.encode()))
        if event["type"] == "ERROR":
            raise ApiException(status=event["object"].get("code"), body=json.dumps(event["object"]))
        return event | {"raw_object": event["object"]}


@contextmanager
def readable(what: object) -> Iterator[None]:
    """An object of a shape that is not known fails by its name."""
    try:
        yield
    except KanfuncError:
        raise
    except Exception as error:
        raise ApiFailed(
            f"{what} has an unknown format: {what_of(error)}",
            remedy="look at it (kubectl get -o yaml); its operator may be newer than kanfunc",
        ) from error


def cluster_of(manifest: Manifest, flavour: Flavour, read_at: datetime) -> Listed:
    """One of a list: where it cannot be read, the others can."""
    try:
        return Cluster.from_manifest(manifest, flavour, read_at)
    except Exception as error:  # noqa: BLE001 - of whatever shape it is
        metadata = manifest["metadata"]
        ref = ClusterRef(str(metadata["namespace"]), str(metadata["name"]), flavour)
        return Unreadable(ref, f"Cluster {ref} has an unknown format: {what_of(error)}", read_at)
