"""Whatever one cluster's objects hold, an error is that cluster's: it is named, the others are handled."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Condition, Thread
from typing import Any, cast

import pytest

from kanfunc.domain.errors import Terminated
from kanfunc.domain.flavour import CNPG, EDB, RECORD_ANNOTATION, Flavour
from kanfunc.domain.standing import OnPrimaryLost
from kanfunc.gateways.console import Console
from kanfunc.gateways.fleet import KubeFleet
from kanfunc.gateways.kubeclient import connect
from kanfunc.operations.guard import GuardLimits
from kanfunc.operations.watchdog import Watchdog
from kanfunc.process import real_world
from tests.builders import FENCED
from tests.lab.apiserver import CNPG_CLUSTERS, EDB_CLUSTERS, PODS
from tests.machine.actors import Silence
from tests.odd.conftest import Odd, World
from tests.odd.shapes import GOOD, NAMESPACE, Case, cases, fenced

CODES = {0, 1, 2, 3, 4}
ALL = list(cases())
HOUR = timedelta(hours=1)
SOON = 60
NESTED_RECORD = f"{RECORD_ANNOTATION} '[[["


def good(world: Odd) -> dict[str, str]:
    """The good cluster's annotations."""
    clusters = EDB_CLUSTERS if world.flavour is EDB else CNPG_CLUSTERS
    found: dict[str, str] = world.store.get(clusters, NAMESPACE, GOOD)["metadata"].get("annotations", {})
    return found


def names(world: Odd) -> list[str]:
    return [f"b{number:04}" for number in range(len(world.cases))]


def of(world: Odd, name: str) -> str:
    return f"{name}: {world.cases[int(name[1:])].name}"


def told(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By cluster, without what changes with the clock."""
    return {each["cluster"]: {key: each[key] for key in each if key != "checked"} for each in entries}


def ended(world: Odd) -> bool:
    record = json.loads(good(world).get(RECORD_ANNOTATION, "{}"))
    return record.get("state") == "ended" and world.flavour.fenced_instances not in good(world)


@pytest.mark.timeout(300)
def test_status_and_doctor_tell_of_all(odd: World) -> None:
    alone = odd([])
    wanted = [
        told(json.loads(alone.kan(*verb, "--format", "json").out))
        for verb in (("status", "-A"), ("doctor", "-n", NAMESPACE))
    ]
    world = odd(ALL)
    status = world.kan("status", "-A", "--format", "json")
    found = told(json.loads(status.out))
    assert found[GOOD] == wanted[0][GOOD]
    assert [of(world, name) for name in names(world) if name not in found] == []
    unread = [name for name in found if found[name]["unread"]]
    assert unread
    assert all(status.told_of(f"{NAMESPACE}/{name}") for name in unread)
    assert status.code in {1, 3}
    doctor = world.kan("doctor", "-n", NAMESPACE, "--format", "json")
    examined = told(json.loads(doctor.out))
    assert examined[GOOD] == wanted[1][GOOD]
    silent = [n for n in names(world) if n not in examined and not doctor.told_of(f"{NAMESPACE}/{n}")]
    assert [of(world, name) for name in silent] == []
    assert doctor.code == 2


class Told(Silence):
    """Remembers of which clusters a look failed."""

    def __init__(self) -> None:
        self._failed: set[object] = set()
        self._more = Condition()

    def warn(self, name: str, **fields: object) -> None:
        if name == "look failed":
            with self._more:
                self._failed.add(str(fields["cluster"]).partition("/")[2])
                self._more.notify()

    def wait_for(self, clusters: set[str]) -> bool:
        with self._more:
            return self._more.wait_for(lambda: clusters <= self._failed, SOON)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("flavour", [EDB, CNPG], ids=lambda flavour: str(flavour.name))
def test_watchdog_looks_after_all(odd: World, flavour: Flavour) -> None:
    world, journal = odd(list(cases(flavour)), flavour), Told()
    fenced(world.store, GOOD, -HOUR / 2, flavour)
    ports = real_world(cast("Console", journal))
    limits = GuardLimits(30, OnPrimaryLost.HOLD)
    watchdog = Watchdog(ports, KubeFleet(connect()), [flavour], [None], limits)

    def end() -> None:
        raise Terminated("enough")

    with ThreadPoolExecutor(4) as pool:
        loop = Thread(target=watchdog.run, args=(pool,))
        with world.store.subscribe(CNPG_CLUSTERS if flavour is CNPG else EDB_CLUSTERS) as changes:
            loop.start()
            while not ended(world):
                assert changes.next(SOON), "the good cluster's fence stands"
        nested = {name for name in names(world) if world.cases[int(name[1:])].name.startswith(NESTED_RECORD)}
        assert nested
        assert journal.wait_for(nested), "those that cannot be read are told of"
        watchdog._inbox.put(end)
        loop.join(SOON)
    assert not loop.is_alive()
    assert GOOD not in {each.ref.name for each in watchdog.standings if each.failure}
    assert watchdog.breaks == 0
    if flavour is CNPG:
        labels = world.store.get(PODS, NAMESPACE, f"{GOOD}-2")["metadata"]["labels"]
        assert labels["kasten-enterprisedb.io/hasHooks"] == "true"


@pytest.mark.timeout(300)
def test_elect_elects_in_all(odd: World) -> None:
    world = odd(list(cases(CNPG)), CNPG)
    for name in (f"{GOOD}-{n}" for n in (1, 2, 3)):
        world.store.update(
            PODS,
            NAMESPACE,
            name,
            lambda pod: pod["metadata"]["labels"].pop("kasten-enterprisedb.io/hasHooks", None),
        )
    run = world.kan("elect", "-n", NAMESPACE)
    assert any(line["step"] == "elected" and line["cluster"] == f"{NAMESPACE}/{GOOD}" for line in run.log)
    silent = [name for name in names(world) if not run.told_of(f"{NAMESPACE}/{name}")]
    assert [of(world, name) for name in silent] == []
    assert run.code in CODES - {0}


@pytest.mark.timeout(300)
def test_unfence_releases_all(odd: World) -> None:
    world = odd(ALL)
    fenced(world.store, GOOD, HOUR)
    run = world.kan("unfence", "-n", NAMESPACE, "--outcome", "failure")
    assert ended(world)
    silent = [name for name in names(world) if not run.told_of(f"{NAMESPACE}/{name}")]
    assert [of(world, name) for name in silent] == []
    assert run.code in CODES - {0}


@pytest.mark.timeout(300)
def test_verify_restore_looks_at_all(odd: World) -> None:
    world = odd(ALL)
    fenced(world.store, GOOD, HOUR)
    relic = good(world)[RECORD_ANNOTATION].replace('"cluster_uid":"', '"cluster_uid":"another')
    world.store.update(
        EDB_CLUSTERS,
        NAMESPACE,
        GOOD,
        lambda m: m["metadata"]["annotations"].update({RECORD_ANNOTATION: relic}),
    )
    run = world.kan("verify-restore", "-n", NAMESPACE, "--primary-timeout", "1")
    assert not {RECORD_ANNOTATION, FENCED} & good(world).keys(), "the relic of the good one"
    for name in (GOOD, *names(world)):
        assert run.told_of(f"{NAMESPACE}/{name}"), name
    assert run.code in CODES - {0}


@pytest.mark.timeout(300)
def test_stand_down_ends_what_stands(odd: World) -> None:
    world = odd([case for case in ALL if case.of == EDB_CLUSTERS and not case.name.startswith("record late")])
    fenced(world.store, GOOD, HOUR)
    run = world.kan("stand-down", "--drain-timeout", "1")
    assert ended(world)
    assert run.code in CODES - {0}


@pytest.mark.timeout(300)
def test_fence_of_the_good_one_alone(odd: World) -> None:
    world = odd(ALL)
    run = world.kan("fence", "-n", NAMESPACE, "--cluster", GOOD)
    assert (run.code, run.log[-1]["step"]) == (0, "sealed")
    assert world.kan("unfence", "-n", NAMESPACE, "--cluster", GOOD, "--outcome", "failure").code == 0
    assert ended(world)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(2))
def test_fence_of_both_is_whole_or_nothing(odd: World, part: int) -> None:
    for case in ALL[part::24]:
        _fence_both(odd([case]), case)


def _fence_both(world: Odd, case: Case) -> None:
    run = world.kan("fence", "-n", NAMESPACE, "--cluster", GOOD, "--cluster", "b0000")
    if run.code == 0:
        assert json.loads(good(world)[RECORD_ANNOTATION])["state"] == "sealed"
        return
    assert world.flavour.fenced_instances not in good(world), case.name
    assert json.loads(good(world).get(RECORD_ANNOTATION, '{"state": "ended"}'))["state"] == "ended"
    assert run.code in CODES - {0, 4}
    assert run.told_of("b0000"), (case.name, run.log)
