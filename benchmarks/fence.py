"""How long `fence` and `unfence` take, from process start to end, beside a hook script of the usual kind.

    python -m benchmarks.fence [--rounds 7]
    KUBECONFIG=... python -m benchmarks.fence --existing NAMESPACE CLUSTER edb|cnpg

In the lab PostgreSQL is real and the operator prompt; `--existing` takes turns on a real cluster instead,
elected and healthy, whose standing fences this ends. The other program is `benchmarks/baseline.sh`, which
proves less. In the lab snapshots are taken in between, so `unfence --outcome success`; on a real cluster none
are, so `--outcome failure`.

Our own part is a fence without the start of the process and without what it waits for: the operator's
command, its entry, replay, and the stop (whose command reads the files of the stopped instance, too).
`benchmarks/ownpart.py` measures it, and profiles one fence.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.measure import Figure
from tests.cluster.node import places
from tests.lab.kasten import Hook, HookResult, Policy
from tests.lab.lab import Lab
from tests.lab.operator.names import CNPG, EDB

ROUNDS = 7
RATIO_AIM, OWN_AIM = 1 / 3, 0.7
SECONDS = 600
BASELINE = Path(__file__).with_name("baseline.sh")
NAME = "cluster-example"
BOUNDS = {
    "fence": "the start of the process, then stop and operator, for which both wait",
    "unfence": "the script may end at its first look; ours judges, and sees the instance stream",
}
BOTH = ("fence", "unfence")

Times = dict[str, float]
"""Seconds by verb."""


@dataclass(frozen=True)
class Target:
    """A cluster, and what leads there."""

    namespace: str
    cluster: str
    flavour: str
    environment: Mapping[str, str]

    def kanfunc(self, verb: str, *options: str) -> list[str]:
        place = ["--namespace", self.namespace, "--cluster", self.cluster]
        return [sys.executable, "-m", "kanfunc", verb, *place, *options]

    def baseline(self, verb: str) -> list[str]:
        return [str(BASELINE), verb, self.namespace, self.cluster, self.flavour]

    def own_part(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.ownpart", self.namespace, self.cluster, self.flavour]

    def settled(self) -> list[str]:
        """Ends when all instances stream, which the script does not wait for."""
        return [sys.executable, "-m", "benchmarks.settled", self.namespace, self.cluster, self.flavour]

    def run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        if done.returncode:
            raise RuntimeError(
                f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done.stdout


Around = Callable[[Hook, Hook], None]
"""Runs one before, the other after the snapshots of a backup."""


def kubectl() -> Path | None:
    """The one on PATH, else that of the cluster ring."""
    found = shutil.which("kubectl") or places.program("kubectl")
    return Path(found) if Path(found).exists() and shutil.which("jq") else None


def pair(target: Target, around: Around, before: list[str], after: list[str]) -> tuple[Times, str]:
    """Seconds of both commands, and what the first one said."""
    taken: Times = {}
    said: list[str] = []

    def timed(verb: str, command: list[str]) -> Hook:
        def run(_: str) -> HookResult:
            started = time.perf_counter()
            said.append(target.run(command))
            taken[verb] = time.perf_counter() - started
            return HookResult(0)

        return run

    around(timed("fence", before), timed("unfence", after))
    return taken, said[0]


def compared(target: Target, around: Around, outcome: str, rounds: int) -> list[Figure]:
    """Rounds in which both programs take turns, and one more of our own part."""
    unfence = target.kanfunc("unfence", "--outcome", outcome)
    ours, theirs, own = [], [], []
    for _ in range(rounds):
        ours.append(pair(target, around, target.kanfunc("fence"), unfence)[0])
        if kubectl():
            theirs.append(pair(target, around, *map(target.baseline, BOTH))[0])
        own.append(json.loads(pair(target, around, target.own_part(), unfence)[1]))
    return [*ratios(target.flavour, ours, theirs), *own_figures(target.flavour, own)]


def ratios(flavour: str, ours: list[Times], theirs: list[Times]) -> Iterator[Figure]:
    for verb in BOTH:
        yield Figure(f"{verb}, {flavour}", median(each[verb] for each in ours), "s", None)
        if theirs:
            ratio = median(mine[verb] / other[verb] for mine, other in zip(ours, theirs, strict=True))
            yield Figure(
                f"{verb}, {flavour}, beside the script", ratio, "x its time", RATIO_AIM, BOUNDS[verb]
            )


def own_figures(flavour: str, own: list[Times]) -> Iterator[Figure]:
    mine = median(each["total"] - each["waited"] for each in own)
    yield Figure(f"fence, {flavour}, own part", mine, "s", OWN_AIM)
    yield Figure(f"fence, {flavour}, waited", median(each["waited"] for each in own), "s", None)


def environment(variables: Mapping[str, str], home: Path) -> dict[str, str]:
    """With kubectl where the script finds it, and a place where it may keep what it learns of the server."""
    found = kubectl()
    path = f"{found.parent}:{os.environ['PATH']}" if found else os.environ["PATH"]
    places = {"PATH": path, "HOME": str(home), "PYTHONPATH": str(BASELINE.parents[1])}
    return {**variables, **places, "KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "true"}


@contextmanager
def in_lab(flavour: str) -> Iterator[tuple[Target, Around]]:
    """A fresh cluster with three instances, one of them elected."""
    dialect = {"edb": EDB, "cnpg": CNPG}[flavour]
    with Lab.open() as lab:
        addons = '["kasten"]' if dialect.has_adapter else None
        marks = {} if dialect.has_adapter else {"kanfunc.io/addons": '["kasten"]'}
        lab.create_cluster(flavour, NAME, dialect=dialect, addons=addons, annotations=marks)
        target = Target(flavour, NAME, flavour, environment(lab.environment(), lab.workspace.path))
        target.run(target.kanfunc("elect"))

        def around(before: Hook, after: Hook) -> None:
            action = lab.kasten.run(Policy(flavour, pre_hook=before, on_success=after))
            if action.error:
                raise RuntimeError(action.error)
            lab.wait_until_healthy(flavour, NAME)

        yield target, around


def figures(quick: bool) -> list[Figure]:  # noqa: FBT001 - as every benchmark
    """quick: none, since all are times, which depend on how busy the machine is."""
    return [] if quick else measured(("edb", "cnpg"), ROUNDS)


def measured(flavours: tuple[str, ...], rounds: int) -> list[Figure]:
    found: list[Figure] = []
    for flavour in flavours:
        with in_lab(flavour) as (target, around):
            found += compared(target, around, "success", rounds)
    return found


def existing(place: list[str], rounds: int) -> list[Figure]:
    """On a real cluster, for which KUBECONFIG is set: namespace, name, flavour."""
    namespace, cluster, flavour = place
    target = Target(namespace, cluster, flavour, environment(os.environ, Path.home()))

    def around(before: Hook, after: Hook) -> None:
        try:
            before(namespace)
            after(namespace)
        except BaseException:
            target.run(target.kanfunc("unfence", "--outcome", "failure"))
            raise
        target.run(target.settled())

    return compared(target, around, "failure", rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--existing", nargs=3, metavar=("NAMESPACE", "CLUSTER", "FLAVOUR"))
    chosen = parser.parse_args()
    if not kubectl():
        print("no kubectl or no jq here: the time beside the script is not measured")
    found = (
        existing(chosen.existing, chosen.rounds)
        if chosen.existing
        else measured(("edb", "cnpg"), chosen.rounds)
    )
    for figure in found:
        print(figure)


if __name__ == "__main__":
    main()
