"""Kubernetes' own client, as the administrator."""

import json
from pathlib import Path
from typing import Final

from tests.cluster.node.places import KUBECONFIG, program
from tests.cluster.node.processes import run

KUBECTL: Final = (str(program("kubectl")), f"--kubeconfig={KUBECONFIG}")


def kubectl(*arguments: str | Path, stdin: str | None = None, check: bool = True) -> str:
    """Its output; CalledProcessError where it fails."""
    return run(*KUBECTL, *arguments, stdin=stdin, check=check)


def apply(*manifests: object) -> None:
    """Create these objects, or make those that exist like them."""
    objects = {"apiVersion": "v1", "kind": "List", "items": manifests}
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(objects))


def certificate(name: str, namespace: str, cluster: str, user: str) -> None:
    """A Secret of that name with a certificate for a user of a cluster, by the operator's plugin."""
    made = [name, "--cnpg-cluster", cluster, "--cnpg-user", user, "--namespace", namespace]
    run(program("kubectl-cnpg"), "--kubeconfig", KUBECONFIG, "certificate", *made)
