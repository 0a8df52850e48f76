"""Where things are: what is worth keeping between runs, and what belongs to the one that runs."""

import os
import re
import shutil
from pathlib import Path

MODULES = Path(__file__).parents[1] / "go"
CACHE = Path(os.environ.get("KANFUNC_CLUSTER_CACHE") or Path.home() / ".cache" / "kanfunc-cluster")
BIN = CACHE / "bin"
LAYERS = CACHE / "containerd"
"""containerd's own directory: images need not be unpacked twice."""

STATE = CACHE / "state"
LOGS = STATE / "logs"
PIDS = STATE / "pids"
KEYS = STATE / "keys"
KUBELET = STATE / "kubelet"
VOLUMES = STATE / "volumes"
CONTAINERD_SOCKET = STATE / "containerd.sock"
EXISTING = os.environ.get("KANFUNC_CLUSTER") == "existing"
"""Somebody else's cluster: nothing is built, started or stopped; `KUBECONFIG` names it."""
KUBECONFIG = Path(os.environ["KUBECONFIG"]) if EXISTING else STATE / "kubeconfig"
AUDIT_LOG = LOGS / "audit.log"


def program(name: str) -> Path:
    """A client of the cluster: as it was built, or else the one on PATH."""
    found = shutil.which(name) if EXISTING else None
    return Path(found) if found else BIN / name


def version(module: str, path: str) -> str:
    """Version of a module as one of our go.mod files pins it: the only place where versions stand.

    >>> version("kubernetes", "k8s.io/kubernetes").startswith("v1.")
    True
    """
    text = (MODULES / module / "go.mod").read_text()
    found = re.search(rf"^\s*(?:require )?{re.escape(path)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise LookupError(f"{path} is not in go.mod of {module}")
    return found[1]
