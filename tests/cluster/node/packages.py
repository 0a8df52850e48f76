"""What the node needs of Debian."""

import shutil

from tests.cluster.node.processes import run

_PACKAGES = {
    "dockerd": "docker.io",
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ipset": "ipset",
    "ethtool": "ethtool",
    "socat": "socat",
    "ip": "iproute2",
    "sysctl": "procps",
}
"""Package by a program of it."""


def install_packages() -> None:
    """Those that are missing; LookupError where there is no Go, which is not taken from Debian: too old."""
    if not shutil.which("go"):
        raise LookupError("no go on PATH: the programs are built from Go modules (tests/cluster/go)")
    missing = [name for program, name in _PACKAGES.items() if not _is_there(program)]
    if missing:
        run("apt-get", "update", "-q")
        run("apt-get", "install", "-yq", "--no-install-recommends", *missing)


def _is_there(program: str) -> bool:
    return bool(shutil.which(program, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
