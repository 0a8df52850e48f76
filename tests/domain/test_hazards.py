from typing import Any

import pytest

from kanfunc.domain.finding import Status
from kanfunc.domain.hazards import addresses, archives, host_in, others
from tests.builders import REF, cluster

STORE = {"barmanObjectStore": {"destinationPath": "s3://prod/wal"}}
PLUGIN = {"name": "barman-cloud.cloudnative-pg.io", "isWALArchiver": True,
          "parameters": {"barmanObjectName": "store", "serverName": "old"}}  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({}, []),
        ({"backup": {"volumeSnapshot": {}}}, []),
        ({"backup": STORE}, ["s3://prod/wal as pg"]),
        (
            {"backup": {"barmanObjectStore": {"destinationPath": "s3://b", "serverName": "x"}}},
            ["s3://b as x"],
        ),
        ({"plugins": [PLUGIN]}, ["store as old"]),
        ({"plugins": [PLUGIN | {"enabled": False}, {"name": "other"}]}, []),
        ({"plugins": [PLUGIN | {"enabled": None}]}, ["store as old"]),
        ({"plugins": [PLUGIN | {"enabled": True, "parameters": None}]}, [f"{PLUGIN['name']} as pg"]),
        ({"plugins": [PLUGIN | {"isWALArchiver": False}, PLUGIN | {"isWALArchiver": None}]}, []),
        ({"plugins": [{"name": "other", "isWALArchiver": False}, PLUGIN]}, ["store as old"]),
        ({"plugins": [], "backup": {"barmanObjectStore": None}}, []),
        ({"plugins": "x", "backup": ["y"]}, []),
        ({"plugins": [None, "x", PLUGIN | {"parameters": "y"}]}, [f"{PLUGIN['name']} as pg"]),
        ({"backup": {"barmanObjectStore": "x"}}, ["an object store as pg"]),
        ({"backup": {"barmanObjectStore": {"data": {}}}}, ["an object store as pg"]),
        ({"backup": STORE, "plugins": [PLUGIN]}, ["s3://prod/wal as pg", "store as old"]),
        ({"backup": None, "plugins": None}, []),
    ],
)
def test_archive_of_the_source_is_warned_of(spec: dict[str, Any], where: list[str]) -> None:
    found = archives(cluster(**spec))
    assert [finding.found for finding in found] == [f"WAL is written to {place}" for place in where]
    assert all(finding.status is Status.WARNING and not finding.spoils for finding in found)


def test_archiving_that_is_switched_off_is_no_hazard() -> None:
    key = REF.flavour.key("skipWalArchiving")
    assert archives(cluster({key: "enabled"}, backup=STORE)) == []
    assert archives(cluster({key: "disabled"}, backup=STORE))


def test_pods_of_others_are_named_and_counted() -> None:
    assert others([]) == []
    [finding] = others([f"app-{number}" for number in range(7)])
    assert finding.found == "pods of others run here: app-0, app-1, app-2, app-3, app-4 and 2 more"


@pytest.mark.parametrize(
    ("host", "warned"),
    [
        ("pg-rw.prod", False),
        ("pg-rw.prod.svc.cluster.local", False),
        ("pg-rw", False),
        ("pg-rw.staging", True),
        ("pg-ro.staging.svc", True),
        ("other-rw.staging", False),
        ("pg-pooler.staging", False),
        ("", False),
    ],
)
def test_address_in_another_namespace_is_warned_of(host: str, warned: bool) -> None:  # noqa: FBT001
    assert bool(addresses("app", [("uri", host)], REF)) is warned


def test_nothing_but_the_host_is_taken_from_a_secret() -> None:
    """A password may hold anything; what is not understood is passed over."""
    for password in ("x", "a@b", "a:b", "a/b?c#d", "[", "%zz"):
        assert host_in("uri", f"postgresql://app:{password}@pg-rw.old:5432/app") in {
            "pg-rw.old",
            "",
            "app",
            "a",
        }
    assert host_in("host", "not a host") == ""
