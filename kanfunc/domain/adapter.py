"""The contract of EDB's external backup adapter, add-on `kasten`: who is elected, and how it is stopped.

Source: add-ons page of EDB Postgres for Kubernetes; key names and values as observed with operator 1.25.
"""

from dataclasses import dataclass

from kanfunc.domain.codec import Malformed, decode
from kanfunc.domain.errors import Refused
from kanfunc.domain.world import POSTGRES_CONTAINER, Cluster, Instance, Volume, World

ADDON = "kasten"
_PREFIX = "kasten-enterprisedb.io"
_HAS_HOOKS, _ELECTED, _EXCLUDED = f"{_PREFIX}/hasHooks", f"{_PREFIX}/elected", f"{_PREFIX}/excluded"
_TRUE = "true"

Argv = tuple[str, ...]


@dataclass(frozen=True)
class Hooks:
    """The commands that the operator wants run in the elected pod, as argv, never as shell text."""

    pre_backup: Argv
    on_error: Argv
    post_backup: Argv


def require_addon(cluster: Cluster) -> None:
    """Refuse a cluster that the adapter does not decorate: its copy would be hot."""
    annotation = cluster.flavour.key("addons")
    text = cluster.annotations.get(annotation)
    try:
        addons = decode(text, list[str]) if text else []
    except Malformed as error:
        raise Refused(
            f"annotation {annotation} on Cluster {cluster.ref} is {text!r}, which cannot be read ({error})",
            expected=f"""a JSON list such as '["{ADDON}"]'""",
            remedy="correct the annotation",
        ) from error
    if ADDON not in addons:
        raise Refused(
            f"Cluster {cluster.ref} does not have the add-on {ADDON} ({annotation}: {text or 'absent'})",
            expected=f"""{annotation}: '["{ADDON}"]', so that a replica is elected and can be fenced""",
            remedy="annotate the Cluster, or exclude it from the policy: without a fence "
            "its copy would be hot, and must not look like a backup",
        )


def elected_instance(world: World) -> Instance:
    """The one replica that the operator elected; Refused when there is none, several, or the primary."""
    cluster = world.cluster
    elected = [pod for pod in world.instances if pod.labels.get(_HAS_HOOKS) == _TRUE]
    if len(elected) != 1:
        names = ", ".join(pod.name for pod in elected) or "no pod"
        raise Refused(
            f"{names} of Cluster {cluster.ref} carries label {_HAS_HOOKS}={_TRUE}",
            expected="exactly one pod: the replica elected for the backup",
            remedy="look into the operator's log: its adapter elects a replica only in a healthy cluster",
        )
    instance = elected[0]
    if instance.name in {cluster.current_primary, cluster.target_primary}:
        raise Refused(
            f"the elected instance {instance.name} is the primary of Cluster {cluster.ref}",
            expected="a replica: the primary is never stopped for a backup",
            remedy="wait until the operator has elected a replica, or add one (spec.instances)",
        )
    announced = cluster.annotations.get(cluster.flavour.key("backupInstance"))
    if announced and announced != instance.name:
        raise Refused(
            f"Cluster {cluster.ref} announces {announced} as its backup instance, "
            f"but the labels are on {instance.name}",
            expected="one election",
            remedy="the election is changing: run again in a moment",
        )
    return instance


def elected_volumes(world: World, instance: Instance) -> tuple[Volume, ...]:
    """The volumes of the elected instance; Refused unless Kasten's label filter takes exactly these."""
    volumes = world.volumes_of(instance)
    _require_whole_group(world.cluster, instance, volumes)
    for volume in world.volumes:
        elected = volume.labels.get(_ELECTED) == _TRUE
        excluded = volume.labels.get(_EXCLUDED) == _TRUE
        if volume in volumes and (excluded or not elected):
            _refuse_labels(volume, f"{_ELECTED}={_TRUE} and no {_EXCLUDED}: it is the elected instance's")
        if volume not in volumes and (elected or not excluded):
            _refuse_labels(volume, f"{_EXCLUDED}={_TRUE}: it is not the elected instance {instance.name}'s")
    return volumes


def _require_whole_group(cluster: Cluster, instance: Instance, volumes: tuple[Volume, ...]) -> None:
    """A restore adopts a group of volumes only when it is complete."""
    expected = ["PG_DATA"]
    expected += ["PG_WAL"] if cluster.spec.get("walStorage") else []
    expected += ["PG_TABLESPACE"] * len(cluster.spec.get("tablespaces") or ())
    if (found := sorted(volume.role for volume in volumes)) != sorted(expected):
        raise Refused(
            f"instance {instance.name} mounts the volumes {found or 'none'}",
            expected=f"{sorted(expected)}, as Cluster {cluster.ref} specifies",
            remedy="a restore would not adopt an incomplete group: look at the pod's volumes, their labels",
        )


def _refuse_labels(volume: Volume, expected: str) -> None:
    adapter_labels = {key: value for key, value in volume.labels.items() if key.startswith(_PREFIX)}
    raise Refused(
        f"PersistentVolumeClaim {volume.name} carries the labels {adapter_labels or 'none of the adapter'}",
        expected=expected,
        remedy="the snapshot would hold the wrong volumes; wait for the operator to label them, "
        "or look into its log",
    )


def hooks_of(instance: Instance) -> Hooks:
    """The hook commands that the operator wrote on the elected pod; Refused where they cannot be run."""
    for phase in ("pre", "post"):
        container = _annotation(instance, f"{phase}-backup-container")
        if container != POSTGRES_CONTAINER:
            raise Refused(
                f"annotation {_PREFIX}/{phase}-backup-container on pod {instance.name} is {container!r}",
                expected=f"{POSTGRES_CONTAINER!r}, where PostgreSQL runs",
                remedy="look into the operator's log; this operator version may be newer than kanfunc",
            )
    return Hooks(
        pre_backup=_argv(instance, "pre-backup-command"),
        on_error=_argv(instance, "pre-backup-on-error"),
        post_backup=_argv(instance, "post-backup-command"),
    )


def _argv(instance: Instance, name: str) -> Argv:
    text = _annotation(instance, name)
    try:
        argv = tuple(decode(text, list[str]))
    except Malformed as error:
        argv, reason = (), str(error)
    else:
        reason = "an empty command"
    if not argv or not argv[0] or any("\0" in word for word in argv):
        raise Refused(
            f"annotation {_PREFIX}/{name} on pod {instance.name} is {text!r} ({reason})",
            expected="a JSON list of words, the command's name first",
            remedy="look into the operator's log; nothing is ever run through a shell instead",
        )
    return argv


def _annotation(instance: Instance, name: str) -> str:
    return instance.annotations.get(f"{_PREFIX}/{name}", "")
