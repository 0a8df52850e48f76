"""Options that several commands share."""

from typing import Annotated

import typer

from kanfunc.domain.flavour import FlavourName

WEEK = 7 * 24 * 3600


def seconds(name: str, text: str) -> typer.models.OptionInfo:
    """An option for a time in seconds, at most a week."""
    option: typer.models.OptionInfo = typer.Option(
        f"--{name}",
        envvar=f"KANFUNC_{name.upper().replace('-', '_')}",
        min=1,
        max=WEEK,
        help=text,
        metavar="SECONDS",
    )
    return option


Namespace = Annotated[
    str, typer.Option("--namespace", "-n", envvar="KANFUNC_NAMESPACE", help="Namespace of the clusters.")
]
Clusters = Annotated[
    list[str] | None,
    typer.Option("--cluster", envvar="KANFUNC_CLUSTER", help="Name of a Cluster; repeatable. Default: all."),
]
Flavours = Annotated[
    list[FlavourName] | None,
    typer.Option("--flavour", envvar="KANFUNC_FLAVOUR", help="Operator; repeatable. Default: all installed."),
]
HookTimeout = Annotated[int, seconds("hook-timeout", "For the operator's own command in the pod.")]
StreamTimeout = Annotated[int, seconds("stream-timeout", "For an instance to stream from the primary.")]
