"""Event triggers, which only a superuser makes, but whose functions are anybody's."""

import re
from collections.abc import Iterator

import pytest

from tests.hostile import attached, planting
from tests.hostile.conftest import a_server
from tests.hostile.parsetree import messages
from tests.hostile.pod import Pod, pod_of
from tests.lab.postgres import Server
from tests.lab.workspace import Workspace

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module", params=[15, 18])
def server(request: pytest.FixtureRequest, workspace: Workspace) -> Iterator[Server]:
    found = a_server(workspace, request.param)
    for statement in (*planting.EVERYBODY, planting.SPRING):
        found.sql(statement, dbname="app", user="app")
    for statement in attached.statements(attached.EVENTS):
        found.sql(statement, dbname="app")
    yield found
    found.stop("immediate")


@pytest.fixture
def pod(server: Server) -> Iterator[Pod]:
    with pod_of(server) as found:
        yield found
    for extension in ("amcheck", "pg_visibility"):
        server.sql(f"drop extension if exists {extension}", dbname="app")


def sprung(server: Server, since: int) -> list[str]:
    told = [each for each in messages(server.log, since) if each.ours]
    return [trap[1] for each in told if (trap := re.search(r"kanfunc-trap \[(.*)\]", each.text))]


def newer(server: Server) -> bool:
    """Where `event_triggers` is a setting."""
    return server.sql("select current_setting('server_version_num')::int >= 170000") == [(True,)]


@pytest.mark.parametrize("install", [False, True], ids=["", "installing"])
def test_of_commands(server: Server, pod: Pod, *, install: bool) -> None:
    since = server.log.stat().st_size
    run = pod.examine(install=install).run
    assert sprung(server, since) == []
    assert [*run.problems.first, *run.unmade.first] == []
    assert (
        "amcheck" in str(server.sql("select array_agg(extname) from pg_extension", dbname="app"))
    ) is install


@pytest.mark.parametrize("install", [False, True], ids=["", "installing"])
def test_of_commands_whatever_the_replication_role(server: Server, pod: Pod, *, install: bool) -> None:
    """Where they cannot be turned off nothing is made, and that is told by the name of the database."""
    for statement in attached.BEYOND.split("; "):
        server.sql(statement, dbname="app")
    since = server.log.stat().st_size
    found = pod.examine(install=install)
    for name in ("starts", "ends"):
        server.sql(f"alter event trigger {name} enable", dbname="app")
    assert sprung(server, since) == []
    run, reasons = found.run, [f"{each.database}: {each.reason}" for each in found.obstacles]
    assert bool(reasons) is (install and not newer(server))
    told = " ".join([*run.problems.first, *run.unmade.first, *reasons])
    assert ("app" in told) is not newer(server), told


def test_of_logins(server: Server, pod: Pod) -> None:
    if not newer(server):
        return  # there are none
    server.sql(attached.LOGIN, dbname="app")
    since = server.log.stat().st_size
    pod.survey()
    pod.examine()
    server.sql("drop event trigger logs_in", dbname="app")
    assert sprung(server, since) == []
