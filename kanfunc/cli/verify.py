"""The command line of verify-restore."""

import os
from datetime import timedelta
from getpass import getuser
from pathlib import Path
from socket import gethostname
from typing import Annotated
from uuid import UUID

import typer

from kanfunc.cli.selecting import select_refs
from kanfunc.domain.codec import encode
from kanfunc.domain.errors import Refused
from kanfunc.domain.examination import ExaminationLimits
from kanfunc.domain.finding import Depth
from kanfunc.domain.report import Report
from kanfunc.gateways.console import Console
from kanfunc.operations.content import ContentPlan
from kanfunc.operations.verify_restore import VerifyLimits, verify_restores
from kanfunc.options import WEEK, Clusters, Flavours, Namespace, StreamTimeout, seconds
from kanfunc.process import as_html, content_plan, real_world

MOST_JOBS = 64


def verify_restore_command(
    context: typer.Context,
    namespace: Namespace,
    cluster: Clusters = None,
    flavour: Flavours = None,
    expect_fence_id: Annotated[
        UUID | None,
        typer.Option(envvar="KANFUNC_EXPECT_FENCE_ID", help="The fence that the restore point must be of."),
    ] = None,
    depth: Annotated[
        Depth,
        typer.Option(
            envvar="KANFUNC_DEPTH",
            help="How deep to look; each depth includes those before it.",
        ),
    ] = Depth.IDENTITY,
    checks: Annotated[
        Path | None,
        typer.Option(
            envvar="KANFUNC_CHECKS",
            help="YAML file of the checks that depth content makes.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    credentials: Annotated[
        Path | None,
        typer.Option(
            envvar="KANFUNC_CREDENTIALS",
            help="Folder with ca.crt, and for each user of the checks a folder with password, or with "
            "tls.crt and tls.key.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    client_host: Annotated[
        str | None,
        typer.Option(
            envvar="KANFUNC_CLIENT_HOST",
            help="Where the checks connect to. Default: <cluster>-rw.<namespace>.svc.",
        ),
    ] = None,
    client_port: Annotated[
        int, typer.Option(envvar="KANFUNC_CLIENT_PORT", min=1, max=65535, help="Its port.")
    ] = 5432,
    jobs: Annotated[
        int,
        typer.Option(
            envvar="KANFUNC_JOBS", min=1, max=MOST_JOBS, help="Connections of pg_amcheck (depth structure)."
        ),
    ] = 2,
    structure_timeout: Annotated[
        int, seconds("structure-timeout", "For all of depth structure in one cluster.")
    ] = 3600,
    install_amcheck: Annotated[
        bool,
        typer.Option(
            "--install-amcheck",
            envvar="KANFUNC_INSTALL_AMCHECK",
            help="Install amcheck and pg_visibility in databases that lack them, in schema pg_catalog; move "
            "them there where others may create functions beside them. They stay there.",
        ),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            envvar="KANFUNC_REPORT",
            help="Folder for the report, as text, JSON and HTML.",
            exists=True,
            file_okay=False,
            writable=True,
        ),
    ] = None,
    ran_by: Annotated[
        str | None,
        typer.Option(
            envvar="KANFUNC_RAN_BY", help="Who ran it, for the report. Default: the user and the host."
        ),
    ] = None,
    wait_replicas: Annotated[
        bool,
        typer.Option("--wait-replicas", envvar="KANFUNC_WAIT_REPLICAS", help="Wait for all replicas, too."),
    ] = False,
    primary_timeout: Annotated[int, seconds("primary-timeout", "For the primary to come back.")] = 900,
    stream_timeout: StreamTimeout = 300,
    clock_tolerance: Annotated[
        int,
        typer.Option(
            envvar="KANFUNC_CLOCK_TOLERANCE",
            min=0,
            max=WEEK,
            metavar="SECONDS",
            help="How far the clocks of the nodes and of the API server may differ.",
        ),
    ] = 30,
) -> None:
    """Prove that the restored clusters continue exactly the fence point.

    Run after a restore (restore action's hook, or by hand). Clears the fence that the restore point carried
    along, waits for the primary, and compares the database with the marks that the fence left in its volumes.
    Exit 2: this is not what was fenced, or it cannot be proven.
    """
    limits = VerifyLimits(
        primary=primary_timeout,
        replicas=stream_timeout if wait_replicas else None,
        clock_tolerance=timedelta(seconds=clock_tolerance),
        depth=depth,
        ran_by=ran_by or _this_run(),
        content=_content(depth, checks, credentials, client_host, client_port),
        structure=ExaminationLimits(jobs, structure_timeout, install_amcheck),
    )
    ports = real_world(context.obj)
    verify_restores(
        select_refs(ports, namespace, cluster, flavour),
        str(expect_fence_id) if expect_fence_id else None,
        ports,
        limits,
        publish=lambda found: _publish(found, context.obj, report),
    )


def _this_run() -> str:
    """User and host; a pod's user has often no name."""
    try:
        user = getuser()
    except (KeyError, OSError):
        user = f"user {os.getuid()}"
    return f"{user} on {gethostname()}"


def _content(
    depth: Depth, checks: Path | None, credentials: Path | None, host: str | None, port: int
) -> ContentPlan | None:
    """What depth content needs, looked through before anything is touched."""
    if (checks is not None) is not (depth is Depth.CONTENT):
        raise Refused(
            f"--depth {depth} {'with' if checks else 'without'} --checks",
            expected="--checks FILE with --depth content, and with no other",
            remedy="see docs/checks.md for an example of such a file",
        )
    if checks is None:
        return None
    if credentials is None:
        raise Refused(
            "--checks without --credentials",
            expected="a folder with what the clients of the database show",
            remedy="mount the Secrets of the restored cluster, and name their folder",
        )
    return content_plan(checks, credentials, host, port)


def _publish(report: Report, console: Console, folder: Path | None) -> None:
    console.say(report.text())
    console.output("proven", "true" if report.proven else "false")
    console.output("report", encode(report))
    if folder:
        name = f"{report.namespace}-{report.cluster}"
        (folder / f"{name}.json").write_text(encode(report) + "\n")
        (folder / f"{name}.txt").write_text(report.text() + "\n")
        (folder / f"{name}.html").write_text(as_html(report), encoding="utf-8")
