"""Programs of the node and the images of its pods."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster.node.places import BIN, LAYERS, MODULES, version
from tests.cluster.node.processes import ctr, run
from tests.image.engine import PRODUCT, build, build_product, docker, engine

IMAGES = Path(__file__).parents[1] / "images"
PAUSE, OPERATOR, KANISTER = (f"kanfunc.test/{name}:1" for name in ("pause", "cloudnative-pg", "kanister"))
POSTGRES = os.environ.get("KANFUNC_CLUSTER_POSTGRES") or "kanfunc.test/postgres:15"
"""CloudNativePG takes the tag for PostgreSQL's version."""
KANFUNC = os.environ.get("KANFUNC_CLUSTER_IMAGE") or "kanfunc.test/kanfunc:1"

_KUBERNETES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
_ADDONS = (
    "github.com/cloudnative-pg/cloudnative-pg/cmd/manager",
    "github.com/cloudnative-pg/cloudnative-pg/cmd/kubectl-cnpg",
    "github.com/kubernetes-csi/external-provisioner/v5/cmd/csi-provisioner",
    "github.com/kubernetes-csi/external-snapshotter/v8/cmd/csi-snapshotter",
    "github.com/kubernetes-csi/external-snapshotter/v8/cmd/snapshot-controller",
    "./coredns",
    "./csi",
    "./pause",
)


def sources(module: str, path: str) -> Path:
    """Folder with the files of a module, as our go.mod of that name pins it."""
    return Path(run("go", "list", "-m", "-f", "{{.Dir}}", path, cwd=MODULES / module).strip())


def build_programs() -> None:
    """All of them, by Go, which knows what has changed since the last time."""
    kubernetes = version("kubernetes", "k8s.io/kubernetes")
    major, minor = kubernetes.lstrip("v").split(".")[:2]
    facts = {"gitVersion": kubernetes, "gitMajor": major, "gitMinor": minor}
    flags = [f"-X k8s.io/component-base/version.{key}={value}" for key, value in facts.items()]
    _build("kubernetes", "kubernetes", ".", flags)
    for name in (*_KUBERNETES, "kubectl"):
        link = BIN / name
        link.unlink(missing_ok=True)
        link.symlink_to("kubernetes")
    for package in _ADDONS:
        _build("addons", package.rsplit("/", 1)[-1], package)
    _build("kanister", "kanister", ".")


def _build(module: str, name: str, package: str, ldflags: list[str] | None = None) -> None:
    BIN.mkdir(parents=True, exist_ok=True)
    print(f"           {name}", file=sys.stderr)  # noqa: T201 - the first time it takes minutes
    flags = " ".join(["-s", "-w", *(ldflags or ())])
    environment = os.environ | {
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=mod -buildvcs=false",
    }
    command = ["go", "build", "-trimpath", "-ldflags", flags, "-o", str(BIN / name), package]
    subprocess.run(command, cwd=MODULES / module, env=environment, check=True)


def build_pod_images() -> dict[str, str]:
    """The product and whatever else runs in pods; identity by name."""
    with engine():
        base = build_product()
        for name in (PAUSE, OPERATOR, KANISTER):
            build(name, _dockerfile(name), BIN)
        build(POSTGRES, _dockerfile(POSTGRES), IMAGES, f"BASE={base}")
        docker("tag", PRODUCT, KANFUNC)
        names = [PAUSE, OPERATOR, KANISTER, POSTGRES, KANFUNC]
        identities = docker("image", "inspect", "--format", "{{.Id}}", *names).stdout.split()
        built = dict(zip(names, identities, strict=True))
        _pack(built)
    return built


def _dockerfile(image: str) -> Path:
    return IMAGES / f"{image.partition('/')[2].partition(':')[0]}.Dockerfile"


def _packed() -> Path:
    return BIN / "images.tar"


def _pack(built: dict[str, str]) -> None:
    """Into a file that containerd can take; unless the file holds just these."""
    listed = _packed().with_suffix(".json")
    if not (listed.exists() and json.loads(listed.read_text()) == built):
        docker("save", "--output", str(_packed()), *built)
        listed.write_text(json.dumps(built))


def load_images() -> None:
    """Into the node's containerd; unless it has just these."""
    listed, loaded = _packed().with_suffix(".json"), LAYERS / "loaded.json"
    if loaded.exists() and loaded.read_text() == listed.read_text():
        return
    ctr("images", "import", str(_packed()))
    shutil.copy(listed, loaded)
