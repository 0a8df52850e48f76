"""A container engine, and the images of this ring: over a base that is pulled, else made on this machine."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PRODUCT, OPERAND, LOCAL_BASE = "kanfunc:test", "kanfunc-postgres:test", "kanfunc-base:local"
PUBLIC_BASE = "python:3.13-slim"
START_SECONDS = 60.0
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


class NoEngine(Exception):
    """There is no container engine, and none can be started; the message says why."""


def docker(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the engine's client; CalledProcessError where it fails."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=check)


def answers() -> bool:
    """Whether an engine runs."""
    return shutil.which("docker") is not None and docker("info", check=False).returncode == 0


@contextmanager
def engine() -> Iterator[None]:
    """The engine that runs, else one of our own for as long as this lasts. Raises NoEngine."""
    if answers():
        yield
        return
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        raise NoEngine("no container engine runs; to start one: root, and Debian's docker.io")
    log = Path(tempfile.gettempdir()) / "kanfunc-dockerd.log"
    with log.open("wb") as output:
        daemon = subprocess.Popen(["dockerd"], stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers():
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise NoEngine(f"dockerd did not start; the end of {log}:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)  # noqa: TID251 - an engine that starts tells nobody
        yield
    finally:
        daemon.terminate()
        daemon.wait(30)


def build_product() -> str:
    """The product by its Dockerfile; the base that it is built on."""
    base = _base()
    revision = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout.strip()
    build(PRODUCT, REPOSITORY / "Dockerfile", REPOSITORY, f"BASE={base}", f"REVISION={revision or 'unknown'}")
    return base


def build_images() -> None:
    """The product, and an operand with PostgreSQL, over one base."""
    base = build_product()
    build(OPERAND, REPOSITORY / "tests" / "image" / "postgres.Dockerfile", REPOSITORY, f"BASE={base}")


def build(image: str, dockerfile: Path, context: Path, *arguments: str) -> None:
    """One image; RuntimeError with the end of what the engine said where it cannot be built."""
    options = [f"--build-arg={argument}" for argument in arguments]
    where = ["--tag", image, "--file", str(dockerfile), str(context)]
    done = docker("build", "--network=host", *options, *where, check=False)
    if done.returncode:
        raise RuntimeError(f"docker build of {image} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def _base() -> str:
    if chosen := os.environ.get("KANFUNC_IMAGE_BASE"):
        return chosen
    if docker("pull", "--quiet", PUBLIC_BASE, check=False).returncode == 0:
        return PUBLIC_BASE
    if docker("image", "inspect", LOCAL_BASE, check=False).returncode:
        _bootstrap()
    return LOCAL_BASE


def _bootstrap() -> None:
    """A minimal Debian with Python, of this machine's release, from where this machine has its packages."""
    release = Path("/etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=(\w+)$", release, re.MULTILINE)
    if found is None or shutil.which("debootstrap") is None:
        raise NoEngine(f"{PUBLIC_BASE} cannot be pulled, and a base of our own needs Debian's debootstrap")
    with tempfile.TemporaryDirectory(prefix="kanfunc-base-") as directory:
        packages = "--include=python3,python3-venv,ca-certificates"
        command = ["debootstrap", "--variant=minbase", packages, found[1], directory, *_mirror()]
        subprocess.run(command, check=True, capture_output=True)
        shutil.copy(AUTHORITIES, directory + AUTHORITIES)  # a machine may reach its registries by its own
        environment = f"ENV PIP_CERT={AUTHORITIES}"
        with subprocess.Popen(["tar", "-C", directory, "-c", "."], stdout=subprocess.PIPE) as archive:
            subprocess.run(
                ["docker", "import", "--change", environment, "-", LOCAL_BASE],
                stdin=archive.stdout,
                check=True,
                capture_output=True,
            )
        if archive.returncode:
            raise RuntimeError("the base could not be packed")


def _mirror() -> list[str]:
    """Where apt has its packages from; none: debootstrap's own default."""
    sources = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    text = "\n".join(source.read_text() for source in sources if source.is_file())
    return re.findall(r"^(?:URIs: *|deb +)(https?://\S+/debian/?)(?:\s|$)", text, re.MULTILINE)[:1]
