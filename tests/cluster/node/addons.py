"""CloudNativePG's operator and Kanister's controller, as pods."""

from typing import Any

import yaml

from tests.cluster.node.build import KANISTER, OPERATOR, sources
from tests.cluster.node.client import apply, kubectl
from tests.cluster.node.places import version
from tests.cluster.node.processes import eventually

KASTEN_NAMESPACE = "kasten-io"
_CNPG = "github.com/cloudnative-pg/cloudnative-pg"


def start_operator() -> None:
    """CloudNativePG by its released manifest, but with our image of the same code, and no limit of CPU."""
    released = version("addons", _CNPG).lstrip("v")
    text = (sources("addons", _CNPG) / "releases" / f"cnpg-{released}.yaml").read_text()
    manifests = list(yaml.safe_load_all(text))
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            _use_our_image(manifest)
    apply(*manifests)
    kubectl(
        "rollout", "status", "deployment", "cnpg-controller-manager", "-n", "cnpg-system", "--timeout=180s"
    )


def _use_our_image(deployment: dict[str, Any]) -> None:
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    container |= {"image": OPERATOR, "imagePullPolicy": "Never"}
    del container["resources"]["limits"]
    for variable in container["env"]:
        if variable["name"] == "OPERATOR_IMAGE_NAME":
            variable["value"] = OPERATOR


def start_kanister() -> None:
    """Kanister's controller in Kasten's namespace, as Kasten has one; it makes its own types."""
    account = {"name": "kanister", "namespace": KASTEN_NAMESPACE}
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": KASTEN_NAMESPACE}})
    apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "kanister"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [{"kind": "ServiceAccount", **account}],
        },
        _controller(),
    )
    kubectl("rollout", "status", "deployment/kanister", "-n", KASTEN_NAMESPACE, "--timeout=120s")
    types = ("crd/blueprints.cr.kanister.io", "crd/actionsets.cr.kanister.io")
    eventually(
        "Kanister's types", lambda: kubectl("wait", "--for=condition=Established", *types, "--timeout=1s")
    )


def _controller() -> object:
    labels = {"app": "kanister"}
    environment = {
        "CREATEORUPDATE_CRDS": "true",
        "KANISTER_METRICS_ENABLED": "false",
        "POD_NAMESPACE": KASTEN_NAMESPACE,
        "POD_SERVICE_ACCOUNT": "kanister",
    }
    container = {
        "name": "controller",
        "image": KANISTER,
        "imagePullPolicy": "Never",
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "readinessProbe": {"httpGet": {"path": "/v0/healthz", "port": 8000}, "periodSeconds": 1},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "kanister", "namespace": KASTEN_NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": "kanister", "containers": [container]},
            },
        },
    }
