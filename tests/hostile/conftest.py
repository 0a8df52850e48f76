"""Servers of other versions than the machine's: what cannot be had fails in CI, and is skipped elsewhere."""

import os
from collections.abc import Iterator

import pytest

from tests.hostile.parsetree import LOGGED
from tests.lab.binaries import Binaries
from tests.lab.certificates import Authority
from tests.lab.postgres import Server
from tests.lab.workspace import LabError, Workspace

pytest.register_assert_rewrite("tests.hostile.verbs")


def binaries_of(workspace: Workspace, major: int) -> Binaries:
    try:
        return Binaries.of(workspace, major)
    except LabError as missing:
        if "CI" in os.environ:
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with Workspace.open() as opened:
        yield opened


def a_server(workspace: Workspace, major: int) -> Server:
    """One that runs, and writes every parse tree into its log."""
    server = Server(
        workspace,
        binaries_of(workspace, major),
        name=f"pg-{major}",
        volume=workspace.directory(f"data-{major}"),
        tls=Authority.create().instance(["pg-rw", "127.0.0.1"]),
    )
    server.initdb()
    server.configure()
    server.start(standby=False)
    server.create_roles()
    log_trees(server)
    return server


def log_trees(server: Server) -> None:
    for name, value in LOGGED.items():
        server.sql(f"alter system set {name} = {value}")
    server.sql("select pg_reload_conf()")
