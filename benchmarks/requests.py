"""Requests of each command to the API server of the lab, commands in pods apart, for both operators.

    python -m benchmarks.requests [--list]

Counted is one protected cluster of three instances alone in its namespace, found as a policy's hook finds it.
A count does not depend on the machine, but for the lists that a wait begins anew with.
"""

import argparse
from collections import Counter
from dataclasses import dataclass

from benchmarks.measure import Figure
from tests.lab.apiserver import NAMESPACES, Request
from tests.lab.kasten import Hook, HookResult, Policy
from tests.lab.lab import Lab
from tests.lab.operator.names import CNPG, DIALECTS, EDB, Dialect
from tests.lab.workspace import LabError

FLAVOURS = {EDB: "EDB", CNPG: "CloudNativePG"}
OPTIONS = {
    "elect": (),
    "fence": (),
    "unfence": ("--outcome", "success"),
    "verify-restore": ("--depth", "identity", "--clock-tolerance", "0"),
}
AIMS = {"fence": 18, "unfence": 23}


@dataclass(frozen=True)
class Count:
    """What one command asked of the API server."""

    flavour: str
    verb: str
    asked: tuple[Request, ...]

    @property
    def execs(self) -> int:
        return sum(each.subresource == "exec" for each in self.asked)

    @property
    def requests(self) -> int:
        return len(self.asked) - self.execs

    @property
    def kinds(self) -> Counter[str]:
        """How often each verb was used on each resource."""
        return Counter(f"{each.verb} {'/'.join(filter(None, each[1:4]))}" for each in self.asked)


class Counting:
    """One cluster's backup and restore, of which every command's requests are counted."""

    def __init__(self, lab: Lab, dialect: Dialect) -> None:
        self._lab = lab
        self._dialect = dialect
        self._namespace = f"counted-{FLAVOURS[dialect].lower()}"
        self.counts: list[Count] = []

    def run(self) -> list[Count]:
        asked = {"addons": None, "annotations": {"kanfunc.io/addons": '["kasten"]'}}
        options = {} if self._dialect.has_adapter else asked
        self._lab.create_cluster(self._namespace, dialect=self._dialect, **options)  # type: ignore[arg-type]
        self._hook("elect")(self._namespace)
        policy = Policy(self._namespace, pre_hook=self._hook("fence"), on_success=self._hook("unfence"))
        backup = self._lab.kasten.run(policy)
        if backup.restore_point is None:
            raise LabError(backup.error)
        kept = self._lab.kasten.export(backup.restore_point)
        self._lab.store.delete(NAMESPACES, "", self._namespace)
        restore = self._lab.kasten.restore(kept, self._namespace, post_hook=self._hook("verify-restore"))
        if restore.error:
            raise LabError(restore.error)
        return self.counts

    def _hook(self, verb: str) -> Hook:
        def run(namespace: str) -> HookResult:
            log = self._lab.api.requests
            before = len(log)
            done = self._lab.kanfunc(verb, "--namespace", namespace, *OPTIONS[verb], timeout=120)
            self.counts.append(Count(FLAVOURS[self._dialect], verb, tuple(log[before:])))
            if done.returncode:
                raise LabError(f"{verb}: {done.stderr}")
            return HookResult(done.returncode, done.stdout + done.stderr)

        return run


def counted() -> list[Count]:
    with Lab.open() as lab:
        return [count for dialect in DIALECTS for count in Counting(lab, dialect).run()]


def as_figures(counts: list[Count]) -> list[Figure]:
    found = []
    for each in counts:
        name = f"{each.verb}, {each.flavour}"
        found.append(Figure(name, each.requests, "requests", AIMS.get(each.verb)))
        found.append(Figure(f"{name}, in pods", each.execs, "commands", None))
    return found


def figures(quick: bool) -> list[Figure]:  # noqa: ARG001, FBT001 - counts are quick; as every benchmark
    """Of up to three rounds: where the operator writes to the Cluster under our patch, a look is repeated."""
    found: list[Figure] = []
    for _ in range(3):
        found = as_figures(counted())
        if all(figure.met for figure in found):
            break
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="each kind of request, and how often")
    listed, counts = parser.parse_args().list, counted()
    for each in counts if listed else ():
        print(f"{each.verb}, {each.flavour}:")
        for kind, times in sorted(each.kinds.items()):
            print(f"  {times:3} {kind}")
    for figure in as_figures(counts):
        print(figure)


if __name__ == "__main__":
    main()
