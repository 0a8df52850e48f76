"""What changes anywhere: one list, then one watch that goes on from where it was."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from kubernetes import client

from kanfunc.domain.errors import ApiFailed, WatchBroken
from kanfunc.domain.flavour import Flavour
from kanfunc.domain.manifest import Manifest
from kanfunc.domain.world import Change, ClusterRef
from kanfunc.gateways.kubeclient import REQUEST_SECONDS, listed, read, translated
from kanfunc.gateways.manifests import Watch, cluster_of
from kanfunc.gateways.plain import CORE, AnyObjects

WATCH_SECONDS = 300
"""A watch is opened anew this often, without a list: a connection that died without a word is noticed."""

_PAGE = 25
"""Objects that are held at once: each may have a megabyte and a half, and its owner may make many."""

Meaning = Callable[[Manifest, datetime], Change]
"""What an object means, at the time of the list that all began with."""


class KubeFleet:
    """Fleet over the official client."""

    def __init__(self, configuration: client.Configuration) -> None:
        self._objects = AnyObjects(configuration)

    def clusters(self, flavour: Flavour, namespace: str | None) -> Iterator[Sequence[Change]]:
        """See Fleet."""

        def change(manifest: Manifest, date: datetime) -> Change:
            slim = {**manifest, "spec": {}}  # what may be large, and nobody asks of all
            cluster = cluster_of(slim if isinstance(manifest.get("spec"), dict) else manifest, flavour, date)
            return Change(cluster.ref, cluster)

        return self._changes(change, (flavour.group, flavour.version), namespace, flavour.plural)

    def pods(self, flavour: Flavour, namespace: str | None) -> Iterator[Sequence[Change]]:
        """See Fleet."""
        return self._members(flavour, namespace, "pods")

    def volumes(self, flavour: Flavour, namespace: str | None) -> Iterator[Sequence[Change]]:
        """See Fleet."""
        return self._members(flavour, namespace, "persistentvolumeclaims")

    def _members(self, flavour: Flavour, namespace: str | None, plural: str) -> Iterator[Sequence[Change]]:
        key = flavour.key("cluster")

        def change(manifest: Manifest, _: datetime) -> Change:
            metadata = manifest["metadata"]
            return Change(ClusterRef(str(metadata["namespace"]), str(metadata["labels"][key]), flavour))

        return self._changes(change, CORE, namespace, plural, label_selector=key)

    def _changes(
        self, change: Meaning, group: tuple[str, str], namespace: str | None, plural: str, **selector: str
    ) -> Iterator[Sequence[Change]]:
        if namespace is None:
            return _changes(change, self._objects.list_cluster_custom_object, *group, plural, **selector)
        method = self._objects.list_namespaced_custom_object
        return _changes(change, method, *group, namespace, plural, **selector)


def _pages(
    method: Callable[..., Any], *arguments: str, **selector: str
) -> Iterator[tuple[Sequence[Manifest], str, datetime]]:
    """All objects there are, some at a time; each time with the version of the whole, and its time."""
    more: dict[str, str] = {}
    while True:
        with translated("list"):
            body, date = read(method, *arguments, limit=_PAGE, **more, **selector)
            items, version, more = listed(body), body["metadata"]["resourceVersion"], _rest(body)
        yield items, version, date
        if not more:
            return


def _rest(body: Manifest) -> dict[str, str]:
    """How to ask for the next page; nothing where this was the last."""
    more = body["metadata"].get("continue")
    return {"_continue": more} if more else {}


def _changes(
    change: Meaning,
    method: Callable[..., Any],
    *arguments: str,
    **selector: str,
) -> Iterator[Sequence[Change]]:
    """What each object means, at the time of the list that all began with.

    Nothing of the objects themselves is kept: between two changes days may pass.
    """
    found: dict[ClusterRef, Change] = {}
    for manifests, version, date in _pages(method, *arguments, **selector):  # noqa: B007 - the last goes on below
        with translated("list"):
            found.update((each.ref, each) for each in (change(item, date) for item in manifests))
    yield [found.pop(ref) for ref in list(found)]
    while True:
        events = Watch().stream(  # type: ignore[no-untyped-call]  # client's gap
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
                        seen = change(event["raw_object"], date)
                        yield [Change(seen.ref) if event["type"] == "DELETED" else seen]
        except ApiFailed as error:
            raise WatchBroken(error.found) from error
        finally:
            events.close()
