"""status: what stands, what was proven last, and what became of the last restore."""

from contextlib import suppress
from typing import Annotated

import typer

from kanfunc.domain.codec import encode
from kanfunc.domain.errors import NotFound, worst
from kanfunc.domain.overview import Overview, overview, unseen
from kanfunc.domain.world import ClusterRef
from kanfunc.operations.selection import at_each, every_cluster, readable
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
    there = {each.ref: each for each in every_cluster(fleet(), chosen(flavour), namespace or [None])}
    seen: dict[ClusterRef, Overview] = {}

    def look(ref: ClusterRef) -> None:
        with suppress(NotFound):  # it has gone meanwhile
            seen[ref] = overview(ports.api.world(readable(there[ref]).ref))

    failures = at_each(there, look, ports, "not read")
    seen |= {ref: unseen(ref, there[ref].read_at, failure.found) for ref, failure in failures.items()}
    found = [seen[ref] for ref in there if ref in seen]
    if output_format is Format.JSON:
        context.obj.say(encode(found))
    else:
        context.obj.say("\n\n".join(each.text() for each in found) or "there is no cluster")
    if failures:
        raise worst(list(failures.values()))
