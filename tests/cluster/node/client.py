"""Kubernetes' own client, as the administrator."""

import json
from pathlib import Path

from tests.cluster.node.places import BIN, KUBECONFIG
from tests.cluster.node.processes import run


def kubectl(*arguments: str | Path, stdin: str | None = None) -> str:
    """Its output; CalledProcessError where it fails."""
    return run(BIN / "kubectl", "--kubeconfig", KUBECONFIG, *arguments, stdin=stdin)


def apply(*manifests: object) -> None:
    """Create these objects, or make those that exist like them."""
    objects = {"apiVersion": "v1", "kind": "List", "items": manifests}
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(objects))
