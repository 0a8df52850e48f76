"""`python -m tests.cluster build|up|down`: the cluster of this ring, without its tests."""

import time
from collections.abc import Callable, Mapping

import typer

from tests.cluster.node import node
from tests.cluster.node.addons import start_kanister, start_operator
from tests.cluster.node.build import build_pod_images, build_programs
from tests.cluster.node.packages import install_packages
from tests.cluster.node.places import KUBECONFIG

app = typer.Typer(add_completion=False)


Steps = Mapping[str, Callable[[], object]]

BUILD: Steps = {
    "Debian packages": install_packages,
    "programs from Go modules": build_programs,
    "images": build_pod_images,
}
START: Steps = {"node": node.up, "CloudNativePG": start_operator, "Kanister": start_kanister}


@app.command()
def build() -> None:
    """Install and build what is missing."""
    _take(BUILD)


@app.command()
def up() -> None:
    """Build what is missing, and start what does not run."""
    _take(BUILD)
    _take(START)
    typer.echo(f"export KUBECONFIG={KUBECONFIG}")


def _take(steps: Steps) -> None:
    for name, step in steps.items():
        typer.echo(f"         {name} ...", err=True)
        started = time.monotonic()
        step()
        typer.echo(f"{time.monotonic() - started:6.1f} s {name}", err=True)


@app.command()
def down() -> None:
    """Stop it; programs and images stay."""
    node.down()


if __name__ == "__main__":
    app()
