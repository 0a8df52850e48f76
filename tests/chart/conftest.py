from pathlib import Path

import pytest

from tests.chart.helm import VALUES, Manifest, rendered


@pytest.fixture(params=VALUES, ids=lambda path: path.name.removesuffix("-values.yaml"))
def values(request: pytest.FixtureRequest) -> Path:
    """Each values file that the chart is held to."""
    found: Path = request.param
    return found


@pytest.fixture
def manifests(values: Path) -> list[Manifest]:
    return rendered(values)
