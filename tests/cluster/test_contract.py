"""The contract suite that holds the simulated API server, here over a real one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.conftest import define
from tests.cluster.node.build import POSTGRES
from tests.cluster.node.places import KUBECONFIG
from tests.lab.apiserver import EDB_BACKUPS, EDB_CLUSTERS

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.cluster
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("objects")
def test_the_contract_suite_holds_on_the_real_api_server() -> None:
    """Refusals, patches, watches, selectors, owners; exec: exit codes, large output, streams, time limits."""
    define(EDB_CLUSTERS, EDB_BACKUPS)
    real = {"KANFUNC_CONTRACT_KUBECONFIG": str(KUBECONFIG), "KANFUNC_CONTRACT_IMAGE": POSTGRES}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/contract", "-p", "no:cacheprovider"],
        cwd=REPOSITORY,
        env=os.environ | real,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
