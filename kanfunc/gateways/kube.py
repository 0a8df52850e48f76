"""The API server, through the official client. Foreign errors become ours here and nowhere else."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import urllib3
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException

from kanfunc.domain.errors import ApiFailed, Conflict, NotFound, WatchBroken
from kanfunc.domain.flavour import Flavour
from kanfunc.domain.record import Changes
from kanfunc.domain.snapshots import VolumeSnapshot
from kanfunc.domain.world import Cluster, ClusterRef, Instance, Manifest, RunningBackup, Volume, World

_LIST_CUSTOM = "list_namespaced_custom_object"
_SNAPSHOTS = ("snapshot.storage.k8s.io", "v1")
_REQUEST_SECONDS = 30
_WATCH_SECONDS = 30
"""A watch is opened anew this often: a connection that died without a word is noticed."""

_RETRIES = urllib3.Retry(
    total=5,
    allowed_methods=None,  # every write of ours is guarded by a `test`, so repeating it is harmless
    status_forcelist=(429, 500, 502, 503, 504),
    backoff_factor=0.2,
    raise_on_status=False,
)


def connect() -> client.Configuration:
    """Configuration of the pod's service account, else of the kubeconfig; ApiFailed when there is neither."""
    configuration = client.Configuration()
    try:
        config.load_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # client's gap
    except (config.ConfigException, OSError) as error:
        raise ApiFailed(
            f"no access to a Kubernetes API server: {error}",
            remedy="run in a pod with a service account, or set KUBECONFIG",
        ) from error
    configuration.retries = _RETRIES
    return configuration


class KubeApi:
    """ClusterApi over the official client."""

    def __init__(self, configuration: client.Configuration, flavour: Flavour) -> None:
        api = client.ApiClient(configuration)
        self._flavour = flavour
        self._custom = client.CustomObjectsApi(api)
        self._core = client.CoreV1Api(api)
        self._storage = client.StorageV1Api(api)
        self._type = (flavour.group, flavour.version)

    def clusters(self, namespace: str) -> tuple[Cluster, ...]:
        """See ClusterApi."""
        with _translated(f"list Clusters of namespace {namespace}"):
            body, date = _read(
                self._custom.list_namespaced_custom_object_with_http_info,
                *self._type, namespace, self._flavour.plural,
            )  # fmt: skip
        found = [Cluster.from_manifest(item, self._flavour, date) for item in body["items"]]
        return tuple(sorted(found, key=lambda cluster: cluster.ref))

    def cluster(self, ref: ClusterRef) -> Cluster:
        """See ClusterApi."""
        with _translated(f"read Cluster {ref}"):
            body, date = _read(
                self._custom.get_namespaced_custom_object_with_http_info,
                *self._type, ref.namespace, self._flavour.plural, ref.name,
            )  # fmt: skip
        return Cluster.from_manifest(body, self._flavour, date)

    def world(self, ref: ClusterRef) -> World:
        """See ClusterApi."""
        cluster = self.cluster(ref)
        selector = f"{self._flavour.key('cluster')}={ref.name}"
        with _translated(f"read pods and volumes of Cluster {ref}"):
            pods = _items(
                self._core.list_namespaced_pod_with_http_info, ref.namespace, label_selector=selector
            )
            claims = _items(
                self._core.list_namespaced_persistent_volume_claim_with_http_info,
                ref.namespace,
                label_selector=selector,
            )
        return World(
            cluster=cluster,
            instances=tuple(Instance.from_manifest(pod) for pod in pods if self._is_instance(pod)),
            volumes=tuple(Volume.from_manifest(claim, self._flavour) for claim in claims),
            backups=self.running_backups(ref),
        )

    def _is_instance(self, pod: Manifest) -> bool:
        """Jobs that initialise or clone an instance carry the cluster's label, too."""
        return pod["metadata"]["labels"].get(self._flavour.key("instanceName")) == pod["metadata"][
            "name"
        ] and any(container["name"] == "postgres" for container in pod["spec"]["containers"])

    def running_backups(self, ref: ClusterRef) -> tuple[RunningBackup, ...]:
        """See ClusterApi."""
        items = self._custom_items(*self._type, ref.namespace, self._flavour.backups)
        backups = (RunningBackup.from_manifest(item) for item in items)
        return tuple(backup for backup in backups if backup and backup.cluster == ref.name)

    def annotate(self, cluster: Cluster, changes: Changes) -> None:
        """See ClusterApi. One JSON patch; its first tests fail when anything we decided on has changed."""
        patch: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/uid", "value": cluster.uid},
            {"op": "test", "path": "/metadata/annotations", "value": dict(cluster.annotations)},
        ]
        for key, value in changes.items():
            path = "/metadata/annotations/" + key.replace("~", "~0").replace("/", "~1")
            if value is not None:
                patch.append({"op": "add", "path": path, "value": value})
            elif key in cluster.annotations:
                patch.append({"op": "remove", "path": path})
        with _translated(f"annotate Cluster {cluster.ref}"):
            self._custom.patch_namespaced_custom_object(
                *self._type,
                cluster.ref.namespace,
                self._flavour.plural,
                cluster.ref.name,
                patch,
                # the client would send a list as a merge patch, which would drop the tests
                _content_type="application/json-patch+json",
                _request_timeout=_REQUEST_SECONDS,
            )

    def watch_cluster(self, ref: ClusterRef, seconds: float) -> Iterator[Cluster]:
        """See ClusterApi."""
        arguments = (*self._type, ref.namespace, self._flavour.plural)
        for manifests, date in _watch(self._custom, _LIST_CUSTOM, arguments, seconds, ref.name):
            if ref.name not in manifests:
                raise NotFound(f"Cluster {ref} is gone")
            yield Cluster.from_manifest(manifests[ref.name], self._flavour, date)

    def watch_instance(self, ref: ClusterRef, name: str, seconds: float) -> Iterator[Instance | None]:
        """See ClusterApi."""
        for manifests, _ in _watch(self._core, "list_namespaced_pod", (ref.namespace,), seconds, name):
            yield Instance.from_manifest(manifests[name]) if name in manifests else None

    def watch_snapshots(self, namespace: str, seconds: float) -> Iterator[tuple[VolumeSnapshot, ...]]:
        """See ClusterApi."""
        arguments = (*_SNAPSHOTS, namespace, "volumesnapshots")
        for manifests, _ in _watch(self._custom, _LIST_CUSTOM, arguments, seconds):
            yield tuple(VolumeSnapshot.from_manifest(manifest) for manifest in manifests.values())

    def snapshots(self, namespace: str) -> tuple[VolumeSnapshot, ...]:
        """See ClusterApi."""
        items = self._custom_items(*_SNAPSHOTS, namespace, "volumesnapshots")
        return tuple(VolumeSnapshot.from_manifest(item) for item in items)

    def without_snapshot_class(self, volumes: Sequence[Volume]) -> tuple[str, ...]:
        """See ClusterApi."""
        with _translated("read StorageClasses and VolumeSnapshotClasses"):
            storage = _items(self._storage.list_storage_class_with_http_info)
            classes = _items_if_known(
                self._custom.list_cluster_custom_object_with_http_info, *_SNAPSHOTS, "volumesnapshotclasses"
            )
        drivers = {item["driver"] for item in classes}
        snapshottable = {item["metadata"]["name"] for item in storage if item["provisioner"] in drivers}
        return tuple(volume.name for volume in volumes if volume.storage_class not in snapshottable)

    def announce(self, cluster: Cluster, reason: str, message: str, *, warning: bool = False) -> None:
        """See ClusterApi."""
        now = datetime.now(UTC)  # noqa: TID251 - an Event tells when its reporter saw it
        event: Any = {
            "metadata": {"generateName": f"{cluster.ref.name}-", "namespace": cluster.ref.namespace},
            "involvedObject": {
                "apiVersion": f"{cluster.flavour.group}/{cluster.flavour.version}",
                "kind": "Cluster",
                "name": cluster.ref.name,
                "namespace": cluster.ref.namespace,
                "uid": cluster.uid,
            },
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": message[:1000],
            "source": {"component": "kanfunc"},
            "firstTimestamp": now.isoformat(),
            "lastTimestamp": now.isoformat(),
            "count": 1,
        }
        try:
            self._core.create_namespaced_event(
                cluster.ref.namespace, event, _request_timeout=_REQUEST_SECONDS
            )
        except (ApiException, urllib3.exceptions.HTTPError):
            return

    def _custom_items(self, group: str, version: str, namespace: str, plural: str) -> Sequence[Manifest]:
        with _translated(f"list {plural} of namespace {namespace}"):
            return _items_if_known(
                self._custom.list_namespaced_custom_object_with_http_info, group, version, namespace, plural
            )


_NOT_FOUND, _CONFLICT, _INVALID, _GONE = 404, 409, 422, 410


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    """Turn the client's errors into ours. A failed `test` of a JSON patch comes as 422."""
    try:
        yield
    except ApiException as error:
        kinds: Mapping[int, type[ApiFailed]] = {
            _NOT_FOUND: NotFound, _CONFLICT: Conflict, _INVALID: Conflict, _GONE: WatchBroken,
        }  # fmt: skip
        raise kinds.get(error.status, ApiFailed)(
            f"could not {doing}: {error.status} {_reason(error)}",
            remedy="check the API server and the service account's permissions",
        ) from error
    except urllib3.exceptions.HTTPError as error:
        raise ApiFailed(
            f"could not {doing}: {error}", remedy="check that the API server can be reached"
        ) from error


def _reason(error: ApiException) -> str:
    """The message of the Status body; the whole body could hold more than belongs in a log."""
    try:
        return str(json.loads(error.body or "")["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)


def _read(method: Callable[..., Any], *arguments: object, **options: object) -> tuple[Manifest, datetime]:
    """Plain JSON and the API server's clock, as it dates its answers (whole seconds).

    One shape for typed and custom objects, so that one parser serves both.
    """
    response = method(*arguments, _request_timeout=_REQUEST_SECONDS, **options)
    return json.loads(response.raw_data), parsedate_to_datetime(response.headers["Date"])


def _items(method: Callable[..., Any], *arguments: object, **options: object) -> Sequence[Manifest]:
    items: Sequence[Manifest] = _read(method, *arguments, **options)[0]["items"]
    return items


def _items_if_known(method: Callable[..., Any], *arguments: object) -> Sequence[Manifest]:
    """Objects of a type that the API server may not know: then there are none."""
    try:
        return _items(method, *arguments)
    except ApiException as error:
        if error.status != _NOT_FOUND:
            raise
        return ()


def _watch(
    api: object, method: str, arguments: tuple[object, ...], seconds: float, name: str | None = None
) -> Iterator[tuple[Mapping[str, Manifest], datetime]]:
    """List, then watch: all objects by name with the time of the reading, now and after each change.

    Ends after `seconds` (or sooner: call again); raises WatchBroken when the connection is cut or the
    server has forgotten our position.
    """
    selector = {"field_selector": f"metadata.name={name}"} if name else {}
    with _translated("list"):
        body, date = _read(getattr(api, f"{method}_with_http_info"), *arguments, **selector)
    objects = {item["metadata"]["name"]: item for item in body["items"]}
    yield objects, date
    limit = max(1, int(min(seconds, _WATCH_SECONDS)))
    events = watch.Watch().stream(  # type: ignore[no-untyped-call]  # client's gap
        getattr(api, method),
        *arguments,
        resource_version=body["metadata"]["resourceVersion"],
        timeout_seconds=limit,
        _request_timeout=(_REQUEST_SECONDS, limit + _REQUEST_SECONDS),
        **selector,
    )
    try:
        with _translated("watch"):
            for event in events:
                manifest = event["raw_object"]
                if event["type"] == "DELETED":
                    objects.pop(manifest["metadata"]["name"], None)
                else:
                    objects[manifest["metadata"]["name"]] = manifest
                yield objects, date
    except ApiFailed as error:
        raise WatchBroken(error.found) from error
    finally:
        events.close()
