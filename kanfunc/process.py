"""How a run of the command line meets the world: real gateways, signals, exit codes.

The only composition root. Heavy imports happen when they are needed, so that `--help` is quick.
"""

import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from kanfunc.domain.errors import KanfuncError, Terminated
from kanfunc.domain.report import Report
from kanfunc.domain.unexpected import said, unexpected, way_of
from kanfunc.gateways.console import Console, SystemClock
from kanfunc.gateways.secrecy import silence_libraries
from kanfunc.operations.content import ContentPlan
from kanfunc.operations.doctor import Surveyor
from kanfunc.operations.watchdog import Watchdog
from kanfunc.ports import Clock, Fleet, Ports

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""The last: a terminal that is closed. Else the client's key would stay in its file, and a fence stand."""
_USAGE_ERROR, _REFUSED = 2, 3
_HANDLED: tuple[type[BaseException], ...] = (typer.Exit, typer.Abort, typer.BadParameter.__mro__[2])
"""What Typer tells by itself; the last is the base of all bad usage, which it does not export."""


class Commands(TyperGroup):
    """Tells a failure in the log before it becomes an exit code."""

    def invoke(self, ctx: Any) -> Any:  # Typer does not export the type of its context here
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except KanfuncError as failure:
            _tell(ctx.obj, failure)
            raise
        except _HANDLED:
            raise
        except Exception as error:
            if ctx.obj is None:  # there is no console yet
                raise
            fault = unexpected(error, f"kanfunc {ctx.invoked_subcommand}")
            _tell(ctx.obj, fault, way=way_of(error))
            raise fault from error


def _tell(console: Console, failure: KanfuncError, **more: object) -> None:
    console.fail(
        type(failure).__name__,
        found=failure.found,
        expected=failure.expected,
        left=failure.left,
        next=failure.remedy,
        exit=failure.exit_code,
        **more,
    )


def real_world(console: Console) -> Ports:
    """The API server and the pods behind it; raises ApiFailed where there is no access."""
    with _here_to_stay():
        from kanfunc.gateways.instances import PodInstances
        from kanfunc.gateways.kube import KubeApi
        from kanfunc.gateways.kubeclient import connect
        from kanfunc.gateways.podexec import PodExec
        from kanfunc.gateways.structure import PodStructure

    configuration = connect()
    pods = PodExec(configuration)
    return Ports(
        api=KubeApi(configuration),
        shell=PodInstances(pods),
        structure=PodStructure(pods),
        journal=console,
        clock=SystemClock(),
    )


@contextmanager
def _here_to_stay() -> Iterator[None]:
    """What is imported lives until the end: no garbage collection need look at it, the last one included."""
    gc.disable()
    yield
    gc.enable()
    gc.freeze()


def content_plan(checks: Path, credentials: Path, host: str | None, port: int) -> ContentPlan:
    """What depth content needs; raises Refused where the file is wrong, or credentials are missing."""
    from kanfunc.domain.checksfile import LONGEST, read_checks
    from kanfunc.gateways.client import PsycopgClient
    from kanfunc.gateways.credentials import Credentials

    with checks.open("rb") as file:
        plan, digest = read_checks(file.read(LONGEST + 1), str(checks))
    shown = Credentials(credentials)
    shown.require(plan)
    return ContentPlan(plan, digest, PsycopgClient(shown, port), host)


def as_html(report: Report) -> str:
    """One file that needs nothing else."""
    from kanfunc.gateways.html import render

    return render(report)


def embedded(page: str) -> str:
    """The report's JSON in such a file; raises Malformed."""
    from kanfunc.gateways.html import extract

    return extract(page)


def fleet() -> Fleet:
    """All clusters of the API server, followed."""
    from kanfunc.gateways.fleet import KubeFleet
    from kanfunc.gateways.kubeclient import connect

    return KubeFleet(connect())


def surveyor() -> Surveyor:
    """What only doctor reads."""
    from kanfunc.gateways.kubeclient import connect
    from kanfunc.gateways.surveyor import KubeSurveyor

    return KubeSurveyor(connect())


def monitored(watchdog: Watchdog, clock: Clock, port: int) -> int:
    """Serve what monitoring asks for; the port, which is any free one for 0. Raises OSError."""
    from kanfunc.gateways.metrics import serve

    return serve(watchdog, clock, port).server_port


def run(app: Callable[[], object]) -> NoReturn:
    """Run the command line and exit with its code; a signal becomes a failure that is rolled back."""
    gc.freeze()  # the command line itself is here to stay, too
    silence_libraries()
    _show_no_messages()
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _on_signal)
    try:
        app()
    except KanfuncError as failure:
        sys.exit(failure.exit_code)
    except SystemExit as end:
        # Typer's own 2 means bad usage; a bad answer leaves as an Unproven above
        sys.exit(_REFUSED if end.code == _USAGE_ERROR else end.code)
    except Exception as error:  # noqa: BLE001 - before there was a console, or where it cannot be written
        _show_way(error)
        sys.exit(unexpected(error, "kanfunc").exit_code)
    sys.exit(0)


def _show_no_messages() -> None:
    """Python's own traceback ends with the messages of the whole chain: they may quote a token."""
    sys.excepthook = lambda _kind, error, _trace: _show_way(error)
    sys.unraisablehook = lambda fault: _show_way(fault.exc_value)
    threading.excepthook = lambda fault: _show_way(fault.exc_value)


def _show_way(error: BaseException | None) -> None:
    if error is not None:
        with suppress(OSError, ValueError):
            print(said(error), *way_of(error), sep="\n    ", file=sys.stderr)  # noqa: T201 - there is no console


def _on_signal(number: int, _frame: FrameType | None) -> NoReturn:
    """Once is enough: a second signal must not interrupt the roll-back."""
    for name in _SIGNALS:
        signal.signal(name, signal.SIG_IGN)
    raise Terminated(
        f"ended by {signal.Signals(number).name}", remedy="run again; what was begun is taken back"
    )
