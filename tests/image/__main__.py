"""Size of the image by component, in MB of 2^20 bytes: `make image-size`."""

from dataclasses import dataclass

import typer

from tests.image.engine import PRODUCT, build_product, docker, engine

SHOWN = 12
COMPONENTS = "/opt/kanfunc/lib/python3*/site-packages/*"


@dataclass(frozen=True)
class Sizes:
    """The whole image, what we add to its base, and of what that consists, the largest first."""

    whole: int
    ours: int
    components: list[tuple[int, str]]


def measured() -> Sizes:
    """The image, built anew. Raises NoEngine."""
    with engine():
        build_product()
        [(whole, _)], [(ours, _)] = _sizes("/"), _sizes("/opt/kanfunc")
        components = [(size, path.rpartition("/")[2]) for size, path in _sizes(COMPONENTS)]
        return Sizes(whole, ours, components)


def _sizes(*paths: str) -> list[tuple[int, str]]:
    """Size and path, the largest first; paths may have wildcards."""
    script = f"du -smx {' '.join(paths)}"
    lines = docker("run", "--rm", "--user", "0", PRODUCT, "sh", "-c", script).stdout.splitlines()
    pairs = (line.split("\t") for line in lines)
    return sorted(((int(size), path) for size, path in pairs), reverse=True)


if __name__ == "__main__":
    found = measured()
    typer.echo(f"{found.whole:5} the image\n{found.whole - found.ours:5} its base")
    typer.echo(f"{found.ours:5} what we add, of which:")
    for size, name in found.components[:SHOWN]:
        typer.echo(f"{size:5}   {name}")
