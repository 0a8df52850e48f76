"""What changes anywhere: one list, then one watch that goes on from where it was."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from kubernetes import client, watch

from kanfunc.domain.errors import ApiFailed, WatchBroken
from kanfunc.domain.flavour import Flavour
from kanfunc.domain.world import Change, Cluster, ClusterRef, Manifest
from kanfunc.gateways.kubeclient import REQUEST_SECONDS, read, translated
from kanfunc.gateways.plain import CORE, AnyObjects

WATCH_SECONDS = 300
"""A watch is opened anew this often, without a list: a connection that died without a word is noticed."""


class KubeFleet:
    """Fleet over the official client."""

    def __init__(self, configuration: client.Configuration) -> None:
        self._objects = AnyObjects(configuration)

    def clusters(self, flavour: Flavour, namespace: str | None) -> Iterator[Sequence[Change]]:
        """See Fleet."""
        found = self._changes((flavour.group, flavour.version), namespace, flavour.plural)
        for items, gone, date in found:
            yield [_cluster_change(item, flavour, date, gone=gone) for item in items]

    def pods(self, flavour: Flavour, namespace: str | None) -> Iterator[Sequence[Change]]:
        """See Fleet."""
        return self._members(flavour, namespace, "pods")

    def volumes(self, flavour: Flavour, namespace: str | None) -> Iterator[Sequence[Change]]:
        """See Fleet."""
        return self._members(flavour, namespace, "persistentvolumeclaims")

    def _members(self, flavour: Flavour, namespace: str | None, plural: str) -> Iterator[Sequence[Change]]:
        key = flavour.key("cluster")
        for items, _, _ in self._changes(CORE, namespace, plural, label_selector=key):
            places = ((item["metadata"]["namespace"], item["metadata"]["labels"][key]) for item in items)
            yield [Change(ClusterRef(*place, flavour)) for place in dict.fromkeys(places)]

    def _changes(
        self, group: tuple[str, str], namespace: str | None, plural: str, **selector: str
    ) -> Iterator[tuple[Sequence[Manifest], bool, datetime]]:
        if namespace is None:
            return _changes(self._objects.list_cluster_custom_object, *group, plural, **selector)
        method = self._objects.list_namespaced_custom_object
        return _changes(method, *group, namespace, plural, **selector)


def _cluster_change(manifest: Manifest, flavour: Flavour, date: datetime, *, gone: bool) -> Change:
    cluster = Cluster.from_manifest(manifest, flavour, date)
    return Change(cluster.ref, None if gone else cluster)


def _changes(
    method: Callable[..., Any], *arguments: str, **selector: str
) -> Iterator[tuple[Sequence[Manifest], bool, datetime]]:
    """Objects, whether they are gone, and the time of the list that all began with."""
    with translated("list"):
        body, date = read(method, *arguments, **selector)
    yield body["items"], False, date
    version = body["metadata"]["resourceVersion"]
    while True:
        events = watch.Watch("object").stream(  # type: ignore[no-untyped-call]  # client's gap
            method,
            *arguments,
            resource_version=version,
            timeout_seconds=WATCH_SECONDS,
            allow_watch_bookmarks=True,
            _request_timeout=(REQUEST_SECONDS, WATCH_SECONDS + REQUEST_SECONDS),
            **selector,
        )
        try:
            with translated("watch"):
                for event in events:
                    version = event["raw_object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        yield [event["raw_object"]], event["type"] == "DELETED", date
        except ApiFailed as error:
            raise WatchBroken(error.found) from error
        finally:
            events.close()
