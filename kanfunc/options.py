"""Options that several commands share."""

import re
from collections.abc import Collection
from enum import StrEnum
from typing import Annotated

import typer

from kanfunc.domain.flavour import FLAVOURS, Flavour, FlavourName
from kanfunc.domain.standing import OnPrimaryLost

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


_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
"""RFC 1123: a namespace is a label, an object's name labels with dots between, at most 253 characters."""


def _namespace(value: str) -> str:
    if not re.fullmatch(_LABEL, value):
        raise typer.BadParameter(f"{value!r} is no name of a namespace")
    return value


def _namespaces(values: list[str] | None) -> list[str] | None:
    return [_namespace(value) for value in values] if values else None


def _cluster_names(values: list[str] | None) -> list[str] | None:
    for value in values or ():
        if len(value) > _NAME_LENGTH or not re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", value):
            raise typer.BadParameter(f"{value!r} is no name of a Cluster")
    return values


_NAME_LENGTH = 253
Namespace = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        envvar="KANFUNC_NAMESPACE",
        help="Namespace of the clusters.",
        callback=_namespace,
    ),
]
WhenPrimaryLost = Annotated[
    OnPrimaryLost,
    typer.Option(
        "--on-primary-lost",
        envvar="KANFUNC_ON_PRIMARY_LOST",
        help="A fence whose cluster lost its primary: hold it, or release it and let it be promoted.",
    ),
]
Namespaces = Annotated[
    list[str] | None,
    typer.Option(
        "--namespace",
        "-n",
        envvar="KANFUNC_NAMESPACE",
        help="Namespace of the clusters; repeatable. Default: all.",
        callback=_namespaces,
    ),
]
Clusters = Annotated[
    list[str] | None,
    typer.Option(
        "--cluster",
        envvar="KANFUNC_CLUSTER",
        help="Name of a Cluster; repeatable. Default: all.",
        callback=_cluster_names,
    ),
]
Flavours = Annotated[
    list[FlavourName] | None,
    typer.Option("--flavour", envvar="KANFUNC_FLAVOUR", help="Operator; repeatable. Default: all installed."),
]
HookTimeout = Annotated[int, seconds("hook-timeout", "For the operator's own command in the pod.")]
StreamTimeout = Annotated[int, seconds("stream-timeout", "For an instance to stream from the primary.")]


class Format(StrEnum):
    """Of what a command finds: for people, or for machines."""

    TEXT = "text"
    JSON = "json"


OutputFormat = Annotated[
    Format, typer.Option("--format", envvar="KANFUNC_FORMAT", help="Of what is found, on standard output.")
]


def chosen(names: Collection[FlavourName] | None) -> list[Flavour]:
    """The operators of these names; all where none is named."""
    return [each for each in FLAVOURS if not names or each.name in names]
