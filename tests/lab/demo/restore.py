"""Acts 3 and 4: the namespace is lost, and the export becomes the same database again."""

from tests.lab.apiserver import EDB_CLUSTERS, NAMESPACES, PODS, PVCS, VOLUME_SNAPSHOTS
from tests.lab.demo.backup import ColdBackup
from tests.lab.demo.evidence import Run, completed, health, psql, streaming, switch_point, system_identifier
from tests.lab.demo.opening import INSTANCES, SELECT_LINKS, Workload
from tests.lab.demo.scene import CLUSTER, NAMESPACE, Scene
from tests.lab.kasten.transforms import EXAMPLE

FIRST_TIMELINE = 1
VERIFY = ("verify-restore", "--clock-tolerance", "0")  # one machine has one clock


def lose_everything(scene: Scene, workload: Workload) -> None:
    """Delete the namespace; the local snapshots go with it."""
    scene.narrator.act("The loss", "the namespace is deleted, and its snapshots with it")
    workload.writer.stop()
    scene.lab.store.delete(NAMESPACES, "", NAMESPACE)
    kinds = (EDB_CLUSTERS, PODS, PVCS, VOLUME_SNAPSHOTS)
    left = sum(len(scene.lab.store.list(kind, NAMESPACE)) for kind in kinds)
    scene.narrator.fact("deleted", f"namespace {NAMESPACE}; clusters, pods, volumes, snapshots left: {left}")
    scene.require("only the export is left", f"{left} objects in namespace {NAMESPACE}", holds=left == 0)


def restore(scene: Scene, workload: Workload, backup: ColdBackup) -> None:
    """Restore the export, let the product verify it, and look at the data as the application does."""
    scene.narrator.act("The restore", "from the export: the fenced copy is promoted, new instances join")
    scene.narrator.busy("Kasten restores volumes, Secrets and the Cluster")
    completed(scene.lab.kasten.restore(backup.export, NAMESPACE, transforms=EXAMPLE))
    scene.narrator.fact("restore", f"volume {', '.join(backup.export.data)}, Secrets and Cluster are back")
    scene.narrator.busy("the operator adopts the volume, promotes it and clones new replicas")
    scene.lab.wait_until_healthy(NAMESPACE, CLUSTER)
    scene.narrator.fact("cluster", health(scene.lab, NAMESPACE, CLUSTER))
    _judge_lineage(scene, workload, backup)
    _judge_instances(scene, backup)
    _verify(scene, backup)
    _judge_data(scene, workload, backup)


def _judge_lineage(scene: Scene, workload: Workload, backup: ColdBackup) -> None:
    primary = scene.lab.primary(NAMESPACE, CLUSTER)
    found = system_identifier(primary)
    scene.require(
        f"{backup.instance} was promoted, without initdb",
        f"primary {primary.name}, system identifier {found} as before",
        holds=primary.name == backup.instance and found == workload.system_identifier,
    )
    promoted_at = switch_point(primary, FIRST_TIMELINE + 1)
    scene.narrator.fact("fence point E", f"{backup.end_of_wal:>12}  end of WAL on the fenced replica")
    scene.narrator.fact(
        "promoted at", f"{promoted_at:>12}  end of timeline 1 in {primary.name}'s history file"
    )
    scene.require(
        "it was promoted exactly at the fence point",
        f"E {backup.end_of_wal}, promoted at {promoted_at}",
        holds=promoted_at == backup.end_of_wal,
    )


def _judge_instances(scene: Scene, backup: ColdBackup) -> None:
    joined = streaming(scene.lab, NAMESPACE, CLUSTER)
    scene.require(
        "new instances joined it",
        f"streaming from {backup.instance}: {', '.join(joined)}",
        holds=len(joined) == INSTANCES - 1 and backup.instance not in joined,
    )


def _verify(scene: Scene, backup: ColdBackup) -> None:
    command = (*VERIFY, "-n", NAMESPACE, "--wait-replicas", "--expect-fence-id", backup.fence_id)
    scene.narrator.busy(f"kanfunc {' '.join(command)}")
    run = Run.of(scene.lab.kanfunc(*command))
    for check, finding in run.findings.items():
        scene.narrator.fact("verify-restore", f"{finding['status']}: {check}: {finding['found']}")
    passed = len(run.findings) - len(run.failed_checks)
    scene.require(
        "verify-restore proved that it continues that fence",
        f"exit code {run.exit_code}, {passed} of {len(run.findings)} checks passed {run.words}".rstrip(),
        holds=run.exit_code == 0 and passed == len(run.findings) > 0,
    )


def _judge_data(scene: Scene, workload: Workload, backup: ColdBackup) -> None:
    links = psql(scene.lab.client_dsn(NAMESPACE, CLUSTER), scene.lab, SELECT_LINKS)
    scene.narrator.fact("links", links)
    scene.require(
        "the walk-through's SELECT shows its row",
        " ".join(links.splitlines()[2].split()),
        holds=links == workload.links and "Backup on Kubernetes" in links,
    )
    [(kept, total)] = scene.lab.primary(NAMESPACE, CLUSTER).sql(
        "SELECT count(*) FILTER (WHERE value <= %s), count(*) FROM ledger", backup.last_row, dbname="app"
    )
    scene.require(
        "no commit from before the fence was lost",
        f"{kept} of {backup.last_row} rows of ledger, and {total - kept} that came until E",
        holds=kept == backup.last_row,
    )
