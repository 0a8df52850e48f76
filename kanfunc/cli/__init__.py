"""The command line: options and help of each verb, and the one operation that it runs."""

import sys
from datetime import timedelta
from typing import Annotated, NoReturn
from uuid import uuid4

import typer

from kanfunc import __version__
from kanfunc.cli.doctor import doctor_command
from kanfunc.cli.report import report_command
from kanfunc.cli.selecting import select_refs
from kanfunc.cli.status import status_command
from kanfunc.cli.verify import verify_restore_command
from kanfunc.cli.watchdog import stand_down_command, watchdog_command
from kanfunc.domain.codec import encode
from kanfunc.domain.standing import OnPrimaryLost
from kanfunc.gateways.console import Console, LogFormat
from kanfunc.operations.coldstop import StopLimits
from kanfunc.operations.elect import elect_each
from kanfunc.operations.fence import FenceLimits, fence
from kanfunc.operations.unfence import Outcome, UnfenceLimits, Wait, unfence
from kanfunc.options import (
    Clusters,
    Flavours,
    HookTimeout,
    Namespace,
    StreamTimeout,
    WhenPrimaryLost,
    seconds,
)
from kanfunc.process import Commands, real_world, run

app = typer.Typer(
    name="kanfunc",
    cls=Commands,
    help="Proven cold backups of EDB Postgres for Kubernetes clusters with Veeam Kasten.",
    epilog="Exit codes: 0 proven. 1 the tool or the platform failed. 2 the answer is bad, or cannot be had. "
    "3 refused, nothing changed. 4 failed, and something of ours still stands.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # half of what `--help` took went into Rich's import
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - Typer calls it
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    log_format: Annotated[
        LogFormat | None,
        typer.Option(envvar="KANFUNC_LOG_FORMAT", help="Default: text on a terminal, else json."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback does it all
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Options of all commands."""
    chosen = log_format or (LogFormat.TEXT if sys.stderr.isatty() else LogFormat.JSON)
    context.obj = Console(context.invoked_subcommand or "", chosen)


@app.command("fence")
def fence_command(
    context: typer.Context,
    namespace: Namespace,
    cluster: Clusters = None,
    flavour: Flavours = None,
    deadline: Annotated[
        int, seconds("deadline", "How long the fence may stand; written down on the Cluster.")
    ] = 3600,
    max_age: Annotated[
        int, seconds("max-age", "A fence that a dead run has sealed is taken over when younger.")
    ] = 1800,
    replay_timeout: Annotated[int, seconds("replay-timeout", "For the replica to replay our bound.")] = 60,
    hook_timeout: HookTimeout = 60,
    stop_timeout: Annotated[int, seconds("stop-timeout", "For PostgreSQL to stop.")] = 180,
    stream_timeout: StreamTimeout = 300,
) -> None:
    """Stop the elected replica and prove that it is cold and fresh.

    Run before the snapshots (policy: preHook). Exit 0: one instance of each cluster is cleanly shut down,
    flushed, marked inside its own volumes, and holds all that was committed when the command began.
    On any failure everything is taken back.
    """
    limits = FenceLimits(
        deadline=timedelta(seconds=deadline),
        max_age=timedelta(seconds=max_age),
        replay=replay_timeout,
        stream=stream_timeout,
        stop=StopLimits(hook=hook_timeout, stop=stop_timeout),
    )
    ports = real_world(context.obj)
    records = fence(select_refs(ports, namespace, cluster, flavour), str(uuid4()), ports, limits)
    ports.journal.output("fenceId", records[0].id)
    ports.journal.output("fences", encode(records))


@app.command("unfence")
def unfence_command(
    context: typer.Context,
    namespace: Namespace,
    outcome: Annotated[
        Outcome, typer.Option(envvar="KANFUNC_OUTCOME", help="What became of the backup.", show_default=False)
    ],
    cluster: Clusters = None,
    flavour: Flavours = None,
    wait: Annotated[
        Wait, typer.Option(envvar="KANFUNC_WAIT", help="How much of the instance's return to wait for.")
    ] = Wait.STREAMING,
    snapshot_timeout: Annotated[int, seconds("snapshot-timeout", "For all snapshots to be cut.")] = 300,
    hook_timeout: HookTimeout = 60,
    stream_timeout: StreamTimeout = 300,
    hook_budget: Annotated[
        int, seconds("hook-budget", "How long a verdict is repeated where snapshots cannot be seen.")
    ] = 1200,
    on_primary_lost: WhenPrimaryLost = OnPrimaryLost.HOLD,
) -> None:
    """Judge the fence, release it, and see the instance stream again.

    Run after the snapshots (policy: onSuccess with --outcome success, onFailure with --outcome failure).
    Exit 0 on success: the fence held without a break, the snapshots are of exactly the fenced instance's
    volumes, and it streams again. Exit 2: what was just backed up was not fenced.
    """
    limits = UnfenceLimits(
        snapshots=snapshot_timeout,
        hook=hook_timeout,
        stream=stream_timeout,
        wait=wait,
        repeat_within=timedelta(seconds=hook_budget),
        on_primary_lost=on_primary_lost,
    )
    ports = real_world(context.obj)
    unfence(select_refs(ports, namespace, cluster, flavour), outcome, ports, limits)


@app.command("elect")
def elect_command(
    context: typer.Context, namespace: Namespace, cluster: Clusters = None, flavour: Flavours = None
) -> None:
    """Elect the replica to be backed up, where the operator has no backup adapter (CloudNativePG).

    The replica that has replayed most is labelled, with its volumes, as EDB's add-on kasten would do; all
    others are labelled as excluded. Whoever is elected stays elected while it streams. Must have run before
    Kasten discovers the volumes; clusters of operators with an adapter are left to it.
    """
    ports = real_world(context.obj)
    elect_each(select_refs(ports, namespace, cluster, flavour), ports)


app.command("verify-restore")(verify_restore_command)
app.command("report")(report_command)
app.command("doctor")(doctor_command)
app.command("status")(status_command)
app.command("watchdog")(watchdog_command)
app.command("stand-down")(stand_down_command)


def main() -> NoReturn:
    """Console script: exits with the code that the epilog of the help promises."""
    run(lambda: app(prog_name="kanfunc"))
