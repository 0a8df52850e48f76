"""The image as Kubernetes runs it: any user, read-only, no capabilities, against PostgreSQL in containers."""

import json
import re
import time
from collections.abc import Callable
from urllib.request import urlopen

import pytest

from kanfunc import __version__
from tests.image.engine import PRODUCT, docker
from tests.image.world import ELECTED, PRIMARY, VOLUME, World

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]


def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)  # noqa: TID251 - what happens in a container is no event here
    return True


def marks(world: World) -> list[str]:
    return world.operands[ELECTED].sh(f"ls {VOLUME}/kanfunc-mark.json 2>/dev/null || true").split()


def test_backup_is_proven(world: World) -> None:
    world.operands[PRIMARY].sql("CREATE TABLE links AS SELECT generate_series(1, 1000) AS id")
    fenced = world.kanfunc("fence")
    assert fenced.code == 0, fenced.output
    assert not world.operands[ELECTED].running
    assert marks(world)
    assert "###Phase-output###" in fenced.output
    world.snapshot(ELECTED)
    done = world.kanfunc("unfence", "--outcome", "success")
    assert done.code == 0, done.output
    assert '"step":"held"' in done.output
    assert world.operands[ELECTED].running
    assert not marks(world)
    assert world.operands[ELECTED].sql("SELECT count(*) FROM links") == "1000"


def test_watchdog_ends_what_nobody_ends(world: World) -> None:
    with world.product("kanfunc", "watchdog", "--port", "18080", "--flavour", "cloudnative-pg") as watchdog:
        assert world.kanfunc("fence", "--deadline", "3").code == 0
        assert eventually(lambda: not world.fenced)
        with urlopen("http://127.0.0.1:18080/metrics") as answer:
            assert b"kanfunc_fences_expired_total 1.0" in answer.read()
        container = watchdog.get_wrapped_container()
        container.kill("SIGTERM")
        assert container.wait()["StatusCode"] == 0
    assert eventually(lambda: world.operands[ELECTED].running)


def test_restore_that_is_none_is_not_proven(world: World) -> None:
    done = world.kanfunc("verify-restore")
    assert done.code == 2, done.output
    assert "NOT PROVEN" in done.output


def test_bad_usage_is_refused(world: World) -> None:
    done = world.run("fence", "--namespace", "NO;rm -rf /")
    assert done.code == 3
    assert "Traceback" not in done.output


def test_says_what_it_is(images: None) -> None:  # noqa: ARG001 - order
    [described] = json.loads(docker("image", "inspect", PRODUCT).stdout)
    labels = described["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__
    assert re.fullmatch("[0-9a-f]{40}|unknown", labels["org.opencontainers.image.revision"])
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert described["Config"]["User"] not in {"", "root", "0"}


def test_holds_nothing_that_production_does_not_use(images: None) -> None:  # noqa: ARG001 - order
    found = docker("run", "--rm", PRODUCT, "find", "/opt/kanfunc", "-maxdepth", "6", "-type", "d").stdout
    installed = {path.partition("site-packages/")[2] for path in found.split()}
    assert {"kanfunc", "kubernetes", "typer"} <= installed
    unused = {"pip", "setuptools", "hatchling", "pytest", "aiohttp", "tests", "rich", "kubernetes/aio"}
    assert unused & installed == set()


def test_every_verb_starts_without_a_place_to_write(world: World) -> None:
    help_text = world.run("--help").output
    for verb in ("fence", "unfence", "verify-restore", "elect", "report", "watchdog", "stand-down"):
        assert verb in help_text
        assert world.run(verb, "--help").code == 0


def test_client_and_page_are_in_it(world: World) -> None:
    """Both are loaded when they are needed only: a lean base may lack what their libraries want."""
    code = "from kanfunc.gateways import client, html; from psycopg import pq; print(pq.__impl__)"
    with world.product("python", "-c", code) as container:
        assert container.wait() == 0
        assert container.get_logs()[0].strip() == b"binary"
