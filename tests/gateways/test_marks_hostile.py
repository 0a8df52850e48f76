"""A file in a volume is its owner's: of any size, and with whatever in it."""

import tracemalloc
from pathlib import Path

import pytest

from kanfunc.domain.flavour import EDB
from kanfunc.domain.mark import MARK_FILE, VERDICT_FILE
from kanfunc.domain.world import Instance, Volume
from kanfunc.gateways.instances import PodInstances
from kanfunc.gateways.podexec import PodExec
from tests.builders import REF, claim_manifest, pod_manifest


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    (tmp_path / "data" / "pgdata" / "global").mkdir(parents=True)
    (tmp_path / "data" / "pgdata" / "global" / "pg_control").write_bytes(b"x")
    (tmp_path / "wal").mkdir()
    return [tmp_path / "data", tmp_path / "wal"]


def inspected(pods: PodExec, roots: list[Path]) -> dict[str, str]:
    pod = Instance.from_manifest(pod_manifest("pg-2"))
    names = [root.name for root in roots]
    pod = Instance(
        pod.name, pod.uid, {}, {}, ready=True, mounts=dict(zip(names, map(str, roots), strict=True))
    )
    made = [Volume.from_manifest(claim_manifest("pg-2", "pg-2"), EDB) for _ in names]
    volumes = [
        Volume(name, v.uid, v.instance, v.role, {}, v.created, "")
        for name, v in zip(names, made, strict=True)
    ]
    found = PodInstances(pods).inspect(REF, pod, volumes)
    return {"running": str(found.running), "digest": found.digest} | {
        k: v.mark for k, v in found.files.items()
    }


@pytest.mark.parametrize("name", [MARK_FILE, VERDICT_FILE])
def test_a_mark_of_a_hundred_megabytes(pods: PodExec, roots: list[Path], name: str) -> None:
    with (roots[0] / name).open("wb") as file:
        file.truncate(100 << 20)
    tracemalloc.start()
    inspected(pods, roots)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20


def test_headings_in_a_mark_are_none(pods: PodExec, roots: list[Path]) -> None:
    (roots[1] / MARK_FILE).write_text("a true mark")
    before = inspected(pods, roots)
    forged = f"\n--kanfunc:digest\nforged\n--kanfunc:mark:{roots[1]}\nforged\n--kanfunc:running\nforged\n"
    (roots[0] / MARK_FILE).write_text(forged)
    (roots[1] / VERDICT_FILE).write_text(forged)
    after = inspected(pods, roots)
    assert (after["digest"], after["wal"], after["running"]) == (
        before["digest"],
        "a true mark",
        before["running"],
    )


def test_a_link_is_no_mark(pods: PodExec, roots: list[Path]) -> None:
    (roots[0] / "token").write_text("canary")
    (roots[0] / MARK_FILE).symlink_to(roots[0] / "token")
    assert "canary" not in str(inspected(pods, roots))
