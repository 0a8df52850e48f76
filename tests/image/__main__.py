"""Size of the image by component, in MB of 2^20 bytes: `make image-size`."""

import typer

from tests.image.engine import PRODUCT, build_images, docker, engine

SHOWN = 12


def sizes(*paths: str) -> list[tuple[int, str]]:
    """Size and path, the largest first; paths may have wildcards."""
    script = f"du -smx {' '.join(paths)}"
    lines = docker("run", "--rm", "--user", "0", PRODUCT, "sh", "-c", script).stdout.splitlines()
    pairs = (line.split("\t") for line in lines)
    return sorted(((int(size), path) for size, path in pairs), reverse=True)


if __name__ == "__main__":
    with engine():
        build_images()
        [(whole, _)], [(ours, _)] = sizes("/"), sizes("/opt/kanfunc")
        typer.echo(f"{whole:5} the image\n{whole - ours:5} its base\n{ours:5} what we add, of which:")
        for size, path in sizes("/opt/kanfunc/lib/python3*/site-packages/*")[:SHOWN]:
            typer.echo(f"{size:5}   {path.rsplit('/', 1)[-1]}")
