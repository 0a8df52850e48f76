"""How a run of the command line meets the world: real gateways, signals, exit codes.

The only composition root. Heavy imports happen when they are needed, so that `--help` is quick.
"""

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from typer.core import TyperGroup

from kanfunc.domain.errors import KanfuncError, Terminated
from kanfunc.gateways.console import Console, SystemClock
from kanfunc.operations.doctor import Surveyor
from kanfunc.operations.watchdog import Watchdog
from kanfunc.ports import Clock, Fleet, Ports

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_USAGE_ERROR, _REFUSED = 2, 3


class Commands(TyperGroup):
    """Tells a failure in the log before it becomes an exit code."""

    def invoke(self, ctx: Any) -> Any:  # Typer does not export the type of its context here
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except KanfuncError as failure:
            ctx.obj.fail(
                type(failure).__name__,
                found=failure.found,
                expected=failure.expected,
                left=failure.left,
                next=failure.remedy,
                exit=failure.exit_code,
            )
            raise


def real_world(console: Console) -> Ports:
    """The API server and the pods behind it; raises ApiFailed where there is no access."""
    from kanfunc.gateways.instances import PodInstances
    from kanfunc.gateways.kube import KubeApi
    from kanfunc.gateways.kubeclient import connect
    from kanfunc.gateways.podexec import PodExec

    configuration = connect()
    return Ports(
        api=KubeApi(configuration),
        shell=PodInstances(PodExec(configuration)),
        journal=console,
        clock=SystemClock(),
    )


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
    for number in _SIGNALS:
        signal.signal(number, _on_signal)
    try:
        app()
    except KanfuncError as failure:
        sys.exit(failure.exit_code)
    except SystemExit as end:
        # Typer's own 2 means bad usage; a bad answer leaves as an Unproven above
        sys.exit(_REFUSED if end.code == _USAGE_ERROR else end.code)
    sys.exit(0)


def _on_signal(number: int, _frame: FrameType | None) -> NoReturn:
    """Once is enough: a second signal must not interrupt the roll-back."""
    for name in _SIGNALS:
        signal.signal(name, signal.SIG_IGN)
    raise Terminated(
        f"ended by {signal.Signals(number).name}", remedy="run again; what was begun is taken back"
    )
