"""The watchdog, and the command that ends what it would have ended."""

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from kanfunc.domain.errors import Refused
from kanfunc.domain.standing import OnPrimaryLost
from kanfunc.operations.guard import GuardLimits
from kanfunc.operations.standdown import stand_down
from kanfunc.operations.watchdog import Watchdog
from kanfunc.options import Flavours, Namespaces, WhenPrimaryLost, chosen, seconds
from kanfunc.process import fleet, monitored, real_world

_HIGHEST_PORT = 65535


def stand_down_command(
    context: typer.Context,
    namespace: Namespaces = None,
    flavour: Flavours = None,
    drain_timeout: Annotated[
        int, seconds("drain-timeout", "For fences to end by themselves, before they are ended.")
    ] = 300,
) -> None:
    """Leave no fence of ours behind, before the watchdog is removed.

    Waits for backups that are running; a fence that still stands then is ended, and its backup is not proven.
    """
    ports = real_world(context.obj)
    stand_down(fleet(), chosen(flavour), namespace or [None], ports, drain_timeout)


def watchdog_command(
    context: typer.Context,
    namespace: Namespaces = None,
    flavour: Flavours = None,
    on_primary_lost: WhenPrimaryLost = OnPrimaryLost.HOLD,
    patience: Annotated[
        int, seconds("patience", "How long an elected replica or a primary may be away before it counts.")
    ] = 30,
    workers: Annotated[
        int, typer.Option(envvar="KANFUNC_WORKERS", min=1, max=64, help="Clusters looked at side by side.")
    ] = 4,
    port: Annotated[
        int,
        typer.Option(
            envvar="KANFUNC_PORT", min=0, max=_HIGHEST_PORT, help="Of /metrics, /healthz and /readyz."
        ),
    ] = 8080,
) -> None:
    """End what outlives its deadline, elect on CloudNativePG, and raise alarms. Runs until it is ended.

    No fence outlives its deadline by much while this runs, with one exception: when its cluster has lost its
    primary it is held (see --on-primary-lost), and that is an alarm.
    """
    ports = real_world(context.obj)
    watchdog = Watchdog(
        ports,
        fleet(),
        flavours=chosen(flavour),
        scope=namespace or [None],
        limits=GuardLimits(patience=patience, on_primary_lost=on_primary_lost),
        share=max(1, workers // 2),
    )
    try:
        served = monitored(watchdog, ports.clock, port)
    except OSError as error:
        raise Refused(
            f"port {port} cannot be served: {error.strerror}", expected="a free port", remedy="set --port"
        ) from error
    ports.journal.step("watching", watches=list(watchdog.watches()), port=served)
    with ThreadPoolExecutor(workers, thread_name_prefix="guard") as pool:
        watchdog.run(pool)
