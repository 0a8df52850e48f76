import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.engine import NoEngine, build_images, engine
from tests.image.world import World

os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"  # its image cannot be pulled everywhere; we clean up


@pytest.fixture(scope="session")
def images() -> Iterator[None]:
    """The images of this ring; where no engine can be had, its tests are skipped, and say so."""
    try:
        with engine():
            build_images()
            yield
    except NoEngine as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def world(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:  # noqa: ARG001 - order
    directory = tmp_path_factory.mktemp("image")
    with World.open(directory) as world:
        yield world


@pytest.fixture(autouse=True)
def whole_path_readable(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The container's user is nobody here, and reads the kubeconfig by its mount."""
    path: Path = tmp_path_factory.getbasetemp()
    path.chmod(0o755)
