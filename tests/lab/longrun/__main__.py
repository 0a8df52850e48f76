"""`python -m tests.lab.longrun [ROUNDS [SEED]]`: exit 1 where a verdict was wrong, or a fence was left."""

import random
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.lab.apiserver import VOLUME_SNAPSHOTS
from tests.lab.client import Writer
from tests.lab.kasten import Action, HookResult, Policy, RestorePoint, State
from tests.lab.kasten.transforms import EXAMPLE
from tests.lab.lab import Lab
from tests.lab.longrun.faults import FAULTS, HOT, Fault, Must, Round
from tests.lab.operator.runtime import Faults
from tests.scenarios.protected import ELECTED, Protected

NAMESPACE, COLD, UNPROVEN, REFUSED = "edb", "shut down in recovery", 2, 3


@dataclass
class Tally:
    """What the product said, and what of it was wrong."""

    said: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def expect(self, what: str, *, holds: bool) -> None:
        if not holds:
            self.wrong.append(what)
            print(f"  WRONG: {what}", flush=True)  # noqa: T201

    def text(self, rounds: int, commits: int) -> str:
        counts = {
            each: self.said[each]
            for each in ("proven", "refused", "failed", "broken", "found out", "restored")
        }
        told = ", ".join(f"{number} {name}" for name, number in counts.items())
        return (
            f"{rounds} rounds under {commits} commits: {told}; "
            f"fences left {len(self.left)}, wrong verdicts {len(self.wrong)}"
        )


@dataclass
class LongRun:
    """One cluster that is backed up again and again, and the namespaces that it is restored into."""

    lab: Lab
    dice: random.Random
    tally: Tally = field(default_factory=Tally)
    commits: int = 0

    def round(self, number: int, name: str) -> None:
        cluster = Protected(self.lab, NAMESPACE)
        cluster.await_healthy()
        writer = Writer(self.lab.client_dsn(NAMESPACE, cluster.name))
        writer.start()
        writer.wait_for(20)
        try:
            if name == HOT:
                self._hot(number, cluster)
            else:
                self._backed_up(number, name, cluster, writer)
        finally:
            writer.stop()
            self.commits += len(writer.commits)

    def _hot(self, number: int, cluster: Protected) -> None:
        point = self.lab.kasten.run(Policy(NAMESPACE)).restore_point
        assert point
        code = self._restored(number, point)[0]
        self.tally.said["found out"] += code == UNPROVEN
        self.tally.expect(
            f"round {number}: a hot copy, and verify-restore says {code}", holds=code == UNPROVEN
        )
        assert not cluster.fenced

    def _backed_up(self, number: int, name: str, cluster: Protected, writer: Writer) -> None:
        fault = FAULTS[name]
        codes: list[int] = []
        before = writer.commits[-1].value
        fault.before(cluster)
        action = self.lab.kasten.run(self._policy(cluster, fault, codes))
        vars(self.lab.faults).update(vars(Faults()))
        fault.after(cluster)
        proven = action.state is State.COMPLETE
        self.tally.said["proven" if proven else _failure(codes)] += 1
        print(f"{number:4} {name}: {'proven' if proven else f'not proven, exit codes {codes}'}", flush=True)  # noqa: T201
        expected = {Must.BE_PROVEN: proven, Must.FAIL: not proven, Must.TELL: True}[fault.must]
        self.tally.expect(f"round {number}, {name}: must be {fault.must}, {action.error}", holds=expected)
        self._nothing_left(number, name, cluster)
        if action.restore_point:
            self._true(number, cluster, action.restore_point, before)

    def _policy(self, cluster: Protected, fault: Fault, codes: list[int]) -> Policy:
        round_ = Round(cluster, self.dice)

        def told(result: HookResult) -> HookResult:
            codes.append(result.exit_code)
            return result

        def place(_: str) -> HookResult:
            result = told(fault.fence(round_))
            if result.exit_code == 0:
                fault.between(cluster)
            return result

        return Policy(
            NAMESPACE,
            pre_hook=place,
            on_success=lambda _: told(fault.unfence(round_)),
            on_failure=lambda _: told(round_.run("unfence", "--outcome", "failure")),
        )

    def _nothing_left(self, number: int, name: str, cluster: Protected) -> None:
        """What the hooks have left the deadline would end; here a person does, by the command they name."""
        if cluster.record.get("state") != "ended" or cluster.fenced:
            cluster.unfence(outcome="failure")
        if cluster.fenced or cluster.record.get("state", "ended") != "ended" or cluster.marks():
            self.tally.left.append(f"round {number}, {name}: {cluster.fenced} {cluster.record}")
            print(f"  LEFT: {self.tally.left[-1]}", flush=True)  # noqa: T201
            cluster.set_fenced()

    def _true(self, number: int, cluster: Protected, point: RestorePoint, before: int) -> None:
        """A backup that was called proven is cold, and its restore has every row from before the fence."""
        [(claim, data)] = point.data.items()
        server = self.lab.server(NAMESPACE, ELECTED)
        copied = replace_data(server.pgdata, server.volume, data)
        state = self.lab.workspace.run([self.lab.binaries.directory / "pg_controldata", copied])
        cold = claim == ELECTED and COLD in state and not (copied / "postmaster.pid").exists()
        self.tally.expect(f"round {number}: proven, and the copy of {claim} is not cold", holds=cold)
        code, rows = self._restored(number, point, below=before)
        self.tally.said["restored"] += code == 0
        self.tally.expect(f"round {number}: proven, and verify-restore says {code}", holds=code == 0)
        self.tally.expect(f"round {number}: {rows} of {before} rows are there", holds=rows == before)
        assert not cluster.fenced

    def _restored(self, number: int, point: RestorePoint, below: int = 0) -> tuple[int, int]:
        """Exit code of verify-restore on one instance of it; rows of the ledger up to that value."""
        namespace = f"restored-{number}"
        single = tuple(each | {"spec": each["spec"] | {"instances": 1}} for each in point.clusters)
        restored = Protected(self.lab, namespace)
        action: Action = self.lab.kasten.restore(
            replace(point, clusters=single), namespace, transforms=EXAMPLE
        )
        assert not action.error, action.error
        restored.await_healthy()
        code = restored.verify().returncode
        [(rows,)] = self.lab.primary(namespace, restored.name).sql(
            "select count(*) from ledger where value <= %s", below, dbname="app"
        )
        restored.delete_namespace()
        for each in self.lab.store.list(VOLUME_SNAPSHOTS, NAMESPACE):
            self.lab.store.delete(VOLUME_SNAPSHOTS, NAMESPACE, each["metadata"]["name"])
        return code, rows


def replace_data(path: Path, root: Path, other: Path) -> Path:
    """The same place in a copy of the volume."""
    return other / path.relative_to(root)


def _failure(codes: list[int]) -> str:
    """By the exit code that ended the backup: of fence, else of unfence."""
    code = next((each for each in codes if each), 0)
    return {UNPROVEN: "broken", REFUSED: "refused"}.get(code, "failed")


def names(rounds: int, dice: random.Random) -> list[str]:
    """Which fault befalls which round: each one as often as the others, in any order."""
    deck = [*FAULTS, HOT, "none", "none"]
    found: list[str] = []
    while len(found) < rounds:
        found += dice.sample(deck, len(deck))
    return found[:rounds]


def main(rounds: int, seed: int) -> int:
    """Run them; the exit code."""
    dice = random.Random(seed)  # noqa: S311 - repeatable
    print(f"seed {seed}", flush=True)  # noqa: T201
    with Lab.open() as lab:
        lab.create_cluster(NAMESPACE)
        run = LongRun(lab, dice)
        for number, name in enumerate(names(rounds, dice), 1):
            run.round(number, name)
        print(run.tally.text(rounds, run.commits))  # noqa: T201
        return int(bool(run.tally.wrong or run.tally.left))


if __name__ == "__main__":
    arguments = [int(each) for each in sys.argv[1:]]
    sys.exit(main(*arguments, *(200, 1)[len(arguments) :]))
