"""`python -m tests.cluster up|down`: the cluster of this ring, without its tests."""

import time
from collections.abc import Callable

import typer

from tests.cluster.node import node
from tests.cluster.node.addons import start_kanister, start_operator
from tests.cluster.node.build import build_pod_images, build_programs
from tests.cluster.node.places import KUBECONFIG

app = typer.Typer(add_completion=False)


@app.command()
def up() -> None:
    """Build what is missing, and start what does not run."""
    steps: dict[str, Callable[[], object]] = {
        "programs from Go modules": build_programs,
        "images": build_pod_images,
        "node": node.up,
        "CloudNativePG": start_operator,
        "Kanister": start_kanister,
    }
    for name, step in steps.items():
        started = time.monotonic()
        step()
        typer.echo(f"{time.monotonic() - started:6.1f} s  {name}")
    typer.echo(f"export KUBECONFIG={KUBECONFIG}")


@app.command()
def down() -> None:
    """Stop it; programs and images stay."""
    node.down()


if __name__ == "__main__":
    app()
