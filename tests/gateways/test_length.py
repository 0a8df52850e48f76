"""No command of ours makes a URL that a proxy would refuse, however long and many the names in it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import MappingProxyType

import pytest
from kubernetes import client

from kanfunc.domain.codec import encode
from kanfunc.domain.errors import ExecFailed
from kanfunc.domain.examination import ExaminationLimits
from kanfunc.domain.hooks import Argv
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.mark import VERDICT_FILE, Mark, VerifiedMark
from kanfunc.domain.timeline import Switch
from kanfunc.domain.world import POSTGRES_CONTAINER, Instance, Volume
from kanfunc.gateways import shell, surveyor
from kanfunc.gateways.instances import PodInstances
from kanfunc.gateways.plain import AnyObjects
from kanfunc.gateways.podexec import PodExec, Running
from kanfunc.gateways.structure import PodStructure
from kanfunc.ports import InstanceShell, StructureShell
from tests.builders import NOW, REF, claim_manifest, pod_manifest, proof

API = "https://api.example:6443"
REFERENCE = replace(REF, namespace="n" * 63, name="c" * 50)
POD = "c" * 50 + "-1000"
FENCE = "00000000-0000-4000-8000-000000000000"
SECONDS = 604_800.0
LIMITS = ExaminationLimits(jobs=64, seconds=SECONDS, install_amcheck=True)
FAR = Lsn(2**64 - 1)


class Measured(PodExec):
    """Runs nothing, answers what is asked for, and keeps the lengths of the URLs that it would have used."""

    def __init__(self) -> None:
        self._api = AnyObjects(client.Configuration(host=API))
        self.lengths: list[int] = []

    def run(self, namespace: str, pod: str, argv: Argv, seconds: float) -> str:
        limited = ["timeout", "-k", "5", f"{round(seconds)}", *argv]
        url, _ = self._api.exec_request(namespace, pod, POSTGRES_CONTAINER, limited)
        self.lengths.append(len(url.removeprefix(API)))
        roots = [word for word in argv if word.startswith("/")]
        names = ["digest", "running", *(f"{kind}:{root}" for kind in ("mark", "verdict") for root in roots)]
        return "[]" if argv[-1].startswith("[") else "".join(f"\n{shell.SECTION}{name}\n" for name in names)

    @contextmanager
    def begun(self, namespace: str, pod: str, argv: Argv, seconds: float) -> Iterator[Running]:
        self.run(namespace, pod, argv, seconds)
        if self.lengths:
            raise ExecFailed("nothing runs here")
        yield Running(None, "sh", namespace, pod, seconds)


def volumes(count: int) -> tuple[Instance, Sequence[Volume]]:
    """An instance with so many volumes, whose names and paths are as long as they may be."""
    names = [f"{POD}-tbs-{'t' * 130}{number:03}" for number in range(count)]
    found = [Volume.from_manifest(claim_manifest(name, POD), REF.flavour) for name in names]
    pod = Instance.from_manifest(pod_manifest(POD))
    mounts = {name: f"/var/lib/postgresql/tablespaces/{'ä' * 60}{name[-3:]}" for name in names}
    return replace(pod, mounts=MappingProxyType(mounts)), found


def verdict(claims: Sequence[Volume]) -> str:
    mark = Mark(
        id=FENCE,
        cluster_uid=FENCE,
        namespace="n" * 63,
        cluster="c" * 50,
        instance=POD,
        proof=proof(),
        written=NOW,
        kanfunc="10.10.10",
    )
    uids = {claim.name: claim.uid for claim in claims}
    return encode(VerifiedMark(mark=mark, cluster_uid=FENCE, volumes=uids, continued=NOW, verified=NOW))


POD_WITH_MANY, MANY = volumes(300)
INSTANCES: dict[str, Callable[[PodInstances], object]] = {
    "replication": lambda pods: pods.replication(REFERENCE, POD),
    "emit_bound": lambda pods: pods.emit_bound(REFERENCE, POD, FENCE),
    "await_replay": lambda pods: pods.await_replay(REFERENCE, POD, FAR, SECONDS),
    "await_stopped": lambda pods: pods.await_stopped(REFERENCE, POD, SECONDS),
    "inspect": lambda pods: pods.inspect(REFERENCE, POD_WITH_MANY, MANY),
    "inscribe": lambda pods: pods.inscribe(REFERENCE, POD_WITH_MANY, MANY, VERDICT_FILE, verdict(MANY)),
    "erase_marks": lambda pods: pods.erase_marks(REFERENCE, POD_WITH_MANY, MANY, FENCE),
    "await_streaming": lambda pods: pods.await_streaming(REFERENCE, POD, POD, SECONDS, caught_up=True),
    "await_writable": lambda pods: pods.await_writable(REFERENCE, POD, SECONDS),
    "activity": lambda pods: pods.activity(REFERENCE, POD),
    "primary_facts": lambda pods: pods.primary_facts(REFERENCE, POD, str(2**64)),
    "superusers": lambda pods: pods.superusers(REFERENCE, POD, [f"{'u' * 60}{n:03}" for n in range(500)]),
    "promotion": lambda pods: pods.promotion(REFERENCE, POD, Switch(FAR, 2**32)),
    "resumption": lambda pods: pods.resumption(REFERENCE, POD, proof(shutdown_checkpoint=FAR)),
}
STRUCTURE: dict[str, Callable[[PodStructure], object]] = {
    "survey": lambda pods: pods.survey(REFERENCE, POD, SECONDS),
    "prepare": lambda pods: pods.prepare(REFERENCE, POD, LIMITS),
    "examining": lambda pods: pods.examining(REFERENCE, POD, LIMITS, amcheck=True).__enter__(),
}
OPERATORS_OWN = {"run_hook"}
"""Whose command is not ours to shorten."""


def test_every_command_is_measured() -> None:
    for port, measured in ((InstanceShell, INSTANCES), (StructureShell, STRUCTURE)):
        assert {name for name in vars(port) if not name.startswith("_")} - OPERATORS_OWN == set(measured)


@pytest.mark.parametrize("name", [*INSTANCES, *STRUCTURE])
def test_no_url_is_too_long(name: str) -> None:
    measured = Measured()
    with suppress(ExecFailed):
        if name in INSTANCES:
            INSTANCES[name](PodInstances(measured))
        else:
            STRUCTURE[name](PodStructure(measured))
    assert 0 < max(measured.lengths) <= shell.LONGEST_URL


def test_doctor_s_is_not_too_long_either() -> None:
    measured = Measured()
    measured.run(REFERENCE.namespace, POD, shell.argv(surveyor.CAPACITY), SECONDS)
    assert measured.lengths[0] <= shell.LONGEST_URL
