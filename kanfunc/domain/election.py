"""Who is elected to be backed up, and whether Kasten's label filters take exactly that instance's volumes."""

from kanfunc.domain.adapter import Adapter, Labels
from kanfunc.domain.errors import Refused
from kanfunc.domain.world import Cluster, Instance, Volume, World

_COLD_PRIMARY = "snapshotAllowColdBackupOnPrimary"
_ALLOWED = {"enabled", "true"}


def may_stop_primary(cluster: Cluster) -> bool:
    """Whether the cluster's own annotation allows a cold backup of its primary."""
    return cluster.annotations.get(cluster.flavour.adapter_key(_COLD_PRIMARY)) in _ALLOWED


def elected_instance(world: World, adapter: Adapter) -> Instance:
    """The one instance that was elected; Refused when there is none, several, or a primary that must run."""
    cluster = world.cluster
    elected = [pod for pod in world.instances if carries(pod.labels, adapter.hooked)]
    if len(elected) != 1:
        names = ", ".join(pod.name for pod in elected) or "no pod"
        raise Refused(
            f"{names} of Cluster {cluster.ref} carries {_text(adapter.hooked)}",
            expected="exactly one pod: the replica elected for the backup",
            remedy="look into the operator's log: its adapter elects a replica only in a healthy cluster"
            if cluster.flavour.has_adapter
            else f"kanfunc elect --namespace {cluster.ref.namespace}, or see the watchdog's log",
        )
    instance = elected[0]
    if instance.name in {cluster.current_primary, cluster.target_primary} and not may_stop_primary(cluster):
        raise Refused(
            f"the elected instance {instance.name} is the primary of Cluster {cluster.ref}",
            expected="a replica: the primary is never stopped for a backup unless its Cluster allows it",
            remedy="wait until a replica is elected, add one (spec.instances), or allow the outage: annotate "
            f"the Cluster with {cluster.flavour.adapter_key(_COLD_PRIMARY)}: enabled",
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


def elected_volumes(world: World, instance: Instance, adapter: Adapter) -> tuple[Volume, ...]:
    """The volumes of the elected instance; Refused unless Kasten's label filter takes exactly these."""
    volumes = world.volumes_of(instance)
    _require_whole_group(world.cluster, instance, volumes)
    for volume in world.volumes:
        elected = carries(volume.labels, adapter.elected)
        excluded = bool(adapter.excluded) and carries(volume.labels, adapter.excluded)
        if volume in volumes and (excluded or not elected):
            wanted = " and ".join(filter(None, [_text(adapter.elected), _none_of(adapter.excluded)]))
            _refuse_labels(volume, adapter, f"{wanted}: it is the elected instance's")
        must_be_excluded = adapter.excludes_all and bool(adapter.excluded)
        wrongly_elected = bool(adapter.elected) and elected
        if volume not in volumes and (wrongly_elected or (must_be_excluded and not excluded)):
            wanted = _text(adapter.excluded) if must_be_excluded else _none_of(adapter.elected)
            _refuse_labels(volume, adapter, f"{wanted}: it is not the elected instance {instance.name}'s")
    return volumes


def carries(labels: Labels, wanted: Labels) -> bool:
    """Whether all the wanted labels are there."""
    return wanted.items() <= labels.items()


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


def _refuse_labels(volume: Volume, adapter: Adapter, expected: str) -> None:
    keys = {*adapter.elected, *adapter.excluded}
    found = _text({key: value for key, value in volume.labels.items() if key in keys})
    raise Refused(
        f"PersistentVolumeClaim {volume.name} carries the labels {found or 'none of the adapter'}",
        expected=expected,
        remedy="the snapshot would hold the wrong volumes; wait until the election has labelled them, "
        "or see who changes the labels",
    )


def _none_of(labels: Labels) -> str:
    return f"no {_text(labels)}" if labels else ""


def _text(labels: Labels) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items())
