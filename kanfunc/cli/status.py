"""status: what stands, what was proven last, and what became of the last restore."""

from typing import Annotated

import typer

from kanfunc.domain.codec import encode
from kanfunc.domain.overview import overview
from kanfunc.operations.selection import every_cluster
from kanfunc.options import Flavours, Format, Namespaces, OutputFormat, chosen
from kanfunc.process import fleet, real_world


def status_command(
    context: typer.Context,
    namespace: Namespaces = None,
    all_namespaces: Annotated[
        bool,
        typer.Option("--all-namespaces", "-A", envvar="KANFUNC_ALL_NAMESPACES", help="Of all namespaces."),
    ] = False,
    flavour: Flavours = None,
    output_format: OutputFormat = Format.TEXT,
) -> None:
    """Tell of each cluster who is elected, who is fenced by whom since when, and what was proven last.

    Reads the API server alone: clusters, pods, volumes and the operator's backups.
    """
    if bool(namespace) is all_namespaces:
        raise typer.BadParameter("name namespaces with -n, or ask for all of them with -A")
    ports = real_world(context.obj)
    clusters = every_cluster(fleet(), chosen(flavour), namespace or [None])
    found = [overview(ports.api.world(cluster.ref)) for cluster in clusters]
    if output_format is Format.JSON:
        context.obj.say(encode(found))
    else:
        context.obj.say("\n\n".join(each.text() for each in found) or "there is no cluster")
