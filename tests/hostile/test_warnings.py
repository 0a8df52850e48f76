"""A setting that does not hold makes PostgreSQL warn of its value, at the begin of each session: text of the
owner of a database, of several lines, in the midst of what we read.
"""

from collections.abc import Iterator

import pytest

from kanfunc.domain.soundness import judge_examination
from tests.hostile.conftest import a_server
from tests.hostile.pod import Pod, pod_of
from tests.lab.postgres import Server
from tests.lab.workspace import Workspace

pytestmark = pytest.mark.lab

LINES = (
    "exit x",
    "exit 1",
    "end",
    '{"name": "ghost"}',
    '{"database": "app", "exposed": "public"}',
    '{"lost": 1}',
    "{broken",
    "ERROR:  XX001: invalid page",
    "pg_amcheck: error: boo",
    "--kanfunc:cluster",
)


@pytest.fixture(scope="module", params=[15, 18])
def server(request: pytest.FixtureRequest, workspace: Workspace) -> Iterator[Server]:
    found = a_server(workspace, request.param)
    yield found
    found.stop("immediate")


@pytest.fixture
def pod(server: Server) -> Iterator[Pod]:
    with pod_of(server) as found:
        yield found


@pytest.mark.parametrize("line", LINES)
def test_what_an_owner_makes_postgresql_warn_of_is_no_answer(server: Server, pod: Pod, line: str) -> None:
    server.sql(f"alter database app set default_tablespace = E'x\\n{line}\\n'", user="app")
    found = pod.examine(install=True)
    survey = pod.survey()
    server.sql("alter database app reset all")
    assert sorted(each.name for each in survey.databases) == ["app", "postgres", "template1"]
    judged = judge_examination(found.run, survey, "", found.obstacles)
    assert [each for each in judged if not each.passed] == []
