"""Act 2: Kasten's policy runs while the application writes; each step is looked at from outside as well."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.lab.apiserver import PVCS
from tests.lab.client import Writer
from tests.lab.demo.evidence import Run, snapshotted, streaming
from tests.lab.demo.opening import INSTANCES, Workload
from tests.lab.demo.scene import CLUSTER, NAMESPACE, Scene
from tests.lab.kasten import Action, HookResult, Policy, RestorePoint

COLD = "shut down in recovery"


@dataclass(frozen=True)
class ColdBackup:
    """An exported backup: the fence it was taken in, and the last row of `ledger` from before the fence."""

    export: RestorePoint
    fence_id: str
    instance: str
    end_of_wal: str
    last_row: int


class PolicyHooks:
    """kanfunc as the policy's hooks start it, each run kept for the judgement."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.fence: Run | None = None
        self.unfence: Run | None = None
        self.control_state = ""
        self.snapshotted: Sequence[str] = ()

    def place(self, namespace: str) -> HookResult:
        """Run `fence`, then look at pg_control of the instance that it names."""
        self.fence, result = self._run(namespace, "fence")
        if result.exit_code == 0:
            self._show_fence(namespace, self.fence)
        self._scene.narrator.busy("Kasten cuts the snapshots")
        return result

    def lift(self, namespace: str) -> HookResult:
        """Look at what was snapshotted, then run `unfence --outcome success`."""
        self.snapshotted = snapshotted(self._scene.lab, namespace)
        volumes = len(self._scene.lab.store.list(PVCS, namespace))
        self._scene.narrator.fact(
            "snapshots", f"{len(self.snapshotted)} of {volumes} volumes: {', '.join(self.snapshotted)}"
        )
        self.unfence, result = self._run(namespace, "unfence", "--outcome", "success")
        return result

    def give_up(self, namespace: str) -> HookResult:
        """Run `unfence --outcome failure`."""
        return self._run(namespace, "unfence", "--outcome", "failure")[1]

    @property
    def proof(self) -> dict[str, Any]:
        """What `fence` measured on the stopped instance, and the id of that fence: from its log."""
        assert self.fence is not None, "the policy ran its preHook"
        return {**self.fence.step("cold"), "fence": self.fence.step("sealed")["fence"]}

    @property
    def stood(self) -> tuple[float, float]:
        """When the fence was placed and when it was lifted, by the product's log; monotonic seconds."""
        assert self.fence is not None, "the policy ran its preHook"
        assert self.unfence is not None, "the policy ran its onSuccess"
        offset = time.time() - time.monotonic()  # one machine: its processes share both clocks
        placed, lifted = self.fence.at("fenced"), self.unfence.at("released")
        return placed.timestamp() - offset, lifted.timestamp() - offset

    def _run(self, namespace: str, *command: str) -> tuple[Run, HookResult]:
        self._scene.narrator.busy(f"kanfunc {' '.join(command)} -n {namespace}")
        completed = self._scene.lab.kanfunc(*command, "-n", namespace)
        run = Run.of(completed)
        return run, HookResult(run.exit_code, run.words)

    def _show_fence(self, namespace: str, run: Run) -> None:
        proof, decided = self.proof, run.step("decided")
        self.control_state = self._scene.lab.server(namespace, proof["instance"]).controldata()[
            "Database cluster state"
        ]
        tell = self._scene.narrator.fact
        tell("elected", f"{decided['instance']}, a replica; {decided['primary']} goes on as the primary")
        tell("fenced", f"by the operator's own command, entry in the Cluster: {proof['instance']}")
        tell("pg_control", f"{proof['instance']}: {self.control_state}")
        tell("bound", f"{proof['bound']}  flushed on the primary when the fence began")
        tell("end of WAL", f"{proof['end_of_wal']}  E, the last complete record on the stopped replica")
        tell("sealed", f"mark {run.step('sealed')['fence']} in {', '.join(run.step('sealed')['volumes'])}")


def back_up(scene: Scene, workload: Workload) -> ColdBackup:
    """Run the policy and export its restore point."""
    scene.narrator.act(
        "The backup", "fence one replica, snapshot its volumes, unfence: the policy's two hooks"
    )
    hooks = PolicyHooks(scene)
    last_row = workload.writer.commits[-1].value
    policy = Policy(NAMESPACE, pre_hook=hooks.place, on_success=hooks.lift, on_failure=hooks.give_up)
    action = scene.lab.kasten.run(policy)
    point = _completed(scene, action)
    _judge_fence(scene, hooks)
    _judge_primary(scene, hooks, workload.writer)
    scene.narrator.busy("Kasten exports the restore point")
    export = scene.lab.kasten.export(point)
    return ColdBackup(
        export, hooks.proof["fence"], hooks.proof["instance"], hooks.proof["end_of_wal"], last_row
    )


def _completed(scene: Scene, action: Action) -> RestorePoint:
    steps = ", ".join(f"{step.name} {step.ended - step.started:.1f} s" for step in action.steps)
    scene.narrator.fact("policy run", f"{action.state}: {steps}")
    scene.require(
        "the backup is proven: fence and unfence ended with exit code 0",
        f"policy run {action.state}{': ' * bool(action.error)}{action.error}",
        holds=action.restore_point is not None,
    )
    assert action.restore_point is not None, "the claim before has seen to it"
    return action.restore_point


def _judge_fence(scene: Scene, hooks: PolicyHooks) -> None:
    proof = hooks.proof
    scene.require(
        "the copied replica was cleanly shut down",
        f"pg_control of {proof['instance']}: {hooks.control_state}",
        holds=hooks.control_state == proof["state"] == COLD,
    )
    [(fresh,)] = scene.lab.primary(NAMESPACE, CLUSTER).sql(
        "SELECT %s::pg_lsn >= %s::pg_lsn", proof["end_of_wal"], proof["bound"]
    )
    scene.require(
        "it held all that was committed when the fence began",
        f"E {proof['end_of_wal']} >= bound {proof['bound']}",
        holds=fresh,
    )
    scene.require(
        "only the elected volume was snapshotted",
        f"{', '.join(hooks.snapshotted)}, one of {INSTANCES} volumes",
        holds=list(hooks.snapshotted) == [proof["instance"]],
    )


def _judge_primary(scene: Scene, hooks: PolicyHooks, writer: Writer) -> None:
    names = streaming(scene.lab, NAMESPACE, CLUSTER)
    scene.require(
        "the replica came back", f"streaming: {', '.join(names)}", holds=hooks.proof["instance"] in names
    )
    writer.wait_for(len(writer.commits) + 1)
    placed, lifted = hooks.stood
    during = [commit for commit in writer.commits if placed < commit.acknowledged < lifted]
    seconds, gap = lifted - placed, writer.longest_gap
    scene.narrator.fact("fence", f"stood {seconds:.2f} s, in which the primary made {len(during)} commits")
    # A primary that had waited for the fence would show a gap as long as the fence.
    scene.require(
        "the primary never stopped committing",
        f"longest gap {gap * 1000:.0f} ms of {len(writer.commits)} commits; fenced {seconds:.2f} s",
        holds=bool(during) and gap < seconds / 2,
    )
