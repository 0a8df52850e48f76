"""What only doctor reads: Kasten's objects, the watchdog, schedules, rights, and the primary's WAL."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from kubernetes import client

from kanfunc.domain.blueprint import Blueprint
from kanfunc.domain.capacity import Capacity
from kanfunc.domain.codec import Malformed, decode, short
from kanfunc.domain.errors import ApiFailed, ExecFailed
from kanfunc.domain.kasten import GROUP, Binding, Policy
from kanfunc.domain.manifest import Manifest, mapping_in, text_in
from kanfunc.domain.schedule import ScheduledBackup
from kanfunc.domain.surroundings import Right, Watcher
from kanfunc.domain.world import ClusterRef
from kanfunc.gateways.foreign import told
from kanfunc.gateways.kubeclient import REQUEST_SECONDS, answered, items, read, translated
from kanfunc.gateways.podexec import PodExec
from kanfunc.gateways.shell import QUERYING, argv, script

T = TypeVar("T")

_LOOK_SECONDS = 60.0
_WATCHDOG = "app.kubernetes.io/name=edb-kasten"

# A slot belongs to the standby whose walsender has it.
CAPACITY = script(
    QUERYING,
    """
free=$(df -Pk "$PGDATA/pg_wal/." | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)
sql -v free="$free" <<'SQL'
select json_build_object(
  'written', wal_bytes::bigint,
  'seconds', extract(epoch from clock_timestamp() - coalesce(stats_reset, pg_postmaster_start_time())),
  'wal_keep', pg_size_bytes(current_setting('wal_keep_size')),
  'slot_keep', case current_setting('max_slot_wal_keep_size') when '-1' then -1
               else pg_size_bytes(current_setting('max_slot_wal_keep_size')) end,
  'slots', coalesce((select json_object_agg(application_name, slot_name)
      from pg_replication_slots join pg_stat_replication on active_pid = pid), '{}'::json),
  'archiving', current_setting('archive_mode') <> 'off',
  'archive_failing', (select coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)
      from pg_stat_archiver),
  'free', :'free'::bigint * 1024)
from pg_stat_wal;
SQL
""",
)


class KubeSurveyor:
    """Surveyor over the official client. Only reads; a review of rights is a request that stores nothing."""

    def __init__(self, configuration: client.Configuration) -> None:
        api = client.ApiClient(configuration)
        self._custom = client.CustomObjectsApi(api)
        self._core = client.CoreV1Api(api)
        self._apps = client.AppsV1Api(api)
        self._reviews = client.AuthorizationV1Api(api)
        self._pods = PodExec(configuration)

    def policies(self, namespace: str) -> tuple[Policy, ...]:
        """See Surveyor."""
        return self._shaped(GROUP, "v1alpha1", namespace, "policies", Policy)

    def bindings(self, namespace: str) -> tuple[Binding, ...]:
        """See Surveyor."""
        return self._shaped(GROUP, "v1alpha1", namespace, "blueprintbindings", Binding)

    def blueprints(self, namespace: str) -> tuple[Blueprint, ...]:
        """See Surveyor."""
        return self._shaped("cr.kanister.io", "v1alpha1", namespace, "blueprints", Blueprint)

    def _shaped(self, group: str, version: str, namespace: str, plural: str, shape: type[T]) -> tuple[T, ...]:
        what = f"{plural} of namespace {namespace}"
        with translated(f"read {what}"):
            method: Callable[..., Any] = self._custom.list_namespaced_custom_object
            found = items(method, group, version, namespace, plural)
        try:
            return tuple(msgspec.convert(each, shape) for each in found)
        except (msgspec.ValidationError, RecursionError, OverflowError) as error:
            raise ApiFailed(
                f"{what} have an unknown format: {told(error)}",
                remedy="this Kasten may be newer than kanfunc",
            ) from error

    def config(self, namespace: str) -> dict[str, str]:
        """See Surveyor."""
        with translated(f"read ConfigMap k10-config of namespace {namespace}"):
            body, _ = read(self._core.read_namespaced_config_map, "k10-config", namespace)
        return dict(body.get("data") or {})

    def watchers(self) -> tuple[Watcher, ...]:
        """See Surveyor."""
        with translated("list Deployments of the watchdog"):
            found = items(self._apps.list_deployment_for_all_namespaces, label_selector=_WATCHDOG)
            return tuple(_watcher(each) for each in found)

    def scheduled_backups(self, ref: ClusterRef) -> tuple[ScheduledBackup, ...]:
        """See Surveyor."""
        flavour = ref.flavour
        with translated(f"list ScheduledBackups of namespace {ref.namespace}"):
            method: Callable[..., Any] = self._custom.list_namespaced_custom_object
            found = items(method, flavour.group, flavour.version, ref.namespace, "scheduledbackups")
            specs = {each["metadata"]["name"]: each["spec"] for each in found if _cluster(each) == ref.name}
            return tuple(
                ScheduledBackup(name, str(spec["schedule"]), bool(spec.get("suspend")))
                for name, spec in sorted(specs.items())
            )

    def denied(self, account: str, namespace: str, rights: Sequence[Right]) -> tuple[Right, ...]:
        """See Surveyor."""
        return tuple(right for right in rights if not self._may(account, namespace, right))

    def _may(self, account: str, namespace: str, right: Right) -> bool:
        group, resource, verb = right
        plural, _, subresource = resource.partition("/")
        asked = {"group": group, "resource": plural, "subresource": subresource, "verb": verb}
        review: Any = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": account,
                "groups": _groups_of(account),
                "resourceAttributes": {**asked, "namespace": namespace},
            },
        }
        with translated(f"ask what {account} may do"):
            create: Callable[..., Any] = self._reviews.create_subject_access_review
            answer = answered(create(review, _request_timeout=REQUEST_SECONDS, _preload_content=False))
            return msgspec.convert(answer, _Review).status.allowed

    def capacity(self, ref: ClusterRef, primary: str) -> Capacity:
        """See Surveyor."""
        output = self._pods.run(ref.namespace, primary, argv(CAPACITY), _LOOK_SECONDS)
        try:
            return decode(output, Capacity)
        except Malformed as error:
            raise ExecFailed(
                f"the answer {short(output.strip())} cannot be read: {error}",
                remedy=f"kubectl logs -n {ref.namespace} {primary} -c postgres",
            ) from error


def _cluster(schedule: Manifest) -> str:
    """Whose it is; all of a namespace are read together, and "" is nobody's."""
    return text_in(mapping_in(mapping_in(schedule, "spec"), "cluster"), "name")


class _Allowed(msgspec.Struct):
    allowed: bool


class _Review(msgspec.Struct):
    status: _Allowed


def _groups_of(account: str) -> list[str]:
    """The groups that every service account is in."""
    namespace = account.split(":")[2]
    return ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]


def _watcher(manifest: Manifest) -> Watcher:
    metadata, containers = manifest["metadata"], manifest["spec"]["template"]["spec"]["containers"]
    arguments: Mapping[str, Any] = containers[0]
    return Watcher(
        place=f"{metadata['namespace']}/{metadata['name']}",
        ready=(manifest.get("status") or {}).get("readyReplicas") or 0,
        arguments=tuple(arguments.get("command") or ()) + tuple(arguments.get("args") or ()),
    )
