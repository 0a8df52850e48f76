"""The programs of one node, and how they find each other. All listen on loopback or on our own bridge."""

import json
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.cluster.node.build import PAUSE, load_images
from tests.cluster.node.client import apply, kubectl
from tests.cluster.node.keys import make_keys
from tests.cluster.node.places import (
    AUDIT_LOG,
    BIN,
    CONTAINERD_SOCKET,
    KEYS,
    KUBECONFIG,
    KUBELET,
    LAYERS,
    LOGS,
    PIDS,
    STATE,
)
from tests.cluster.node.processes import ctr, eventually, run, start, stop
from tests.cluster.node.storage import NODE, start_storage

BRIDGE, ADDRESS, PODS = "kanfunc0", "10.244.0.1", "10.244.0.0/24"
SERVICES, FIRST_SERVICE, DNS = "10.96.0.0/16", "10.96.0.1", "10.96.0.10"
ETCD = "http://127.0.0.1:12379"

_CLIENTS = (
    "kubelet",
    "csi-provisioner",
    "csi-snapshotter",
    "snapshot-controller",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "coredns",
)
_SERVERS = ("csi", "kube-apiserver", "etcd", "containerd")


def up() -> None:
    """A node that is Ready, with storage and names; what runs already is left as it is."""
    if not answers():
        down()  # what a run that was killed has left
    STATE.mkdir(parents=True, exist_ok=True)
    if not KUBECONFIG.exists():
        make_keys(ADDRESS, FIRST_SERVICE)
    _make_network()
    _start_api_server()
    _start_containerd()
    eventually("the API server to be ready", lambda: kubectl("get", "--raw", "/readyz"))
    _start_controllers()
    _start_kubelet()
    _start_names()
    kubectl("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=120s")
    start_storage()


def answers() -> bool:
    """Whether the node is up."""
    with suppress(OSError, subprocess.SubprocessError):
        return bool(kubectl("get", "--raw", "/readyz", "--request-timeout=2s"))
    return False


def _make_network() -> None:
    run(
        "sysctl",
        "-qw",
        "net.ipv4.ip_forward=1",
        "fs.inotify.max_user_instances=8192",
        "fs.inotify.max_user_watches=1048576",
    )
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1", check=False)
    run("ip", "address", "replace", f"{ADDRESS}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    for rule in _forwarding():
        with suppress(subprocess.CalledProcessError):
            run("iptables", "--check", "FORWARD", *rule)
            continue
        run("iptables", "--insert", "FORWARD", *rule)


def _forwarding() -> list[list[str]]:
    """Pods talk to pods and to this host: nothing leaves it."""
    return [
        ["-i", BRIDGE, "-o", BRIDGE, "-j", "ACCEPT"],
        ["-i", BRIDGE, "!", "-o", BRIDGE, "-j", "REJECT"],
    ]


def _start_api_server() -> None:
    # throw-away data need no fsync
    urls = [f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}", "--unsafe-no-fsync"]
    peers = ["--listen-peer-urls=http://127.0.0.1:12380", "--log-level=warn"]
    start("etcd", BIN / "etcd", f"--data-dir={STATE}/etcd", *urls, *peers)
    LOGS.mkdir(parents=True, exist_ok=True)
    audit = STATE / "audit.json"
    _configure(audit, json.dumps(_AUDIT))
    start(
        "kube-apiserver",
        BIN / "kube-apiserver",
        f"--etcd-servers={ETCD}",
        f"--service-cluster-ip-range={SERVICES}",
        f"--bind-address={ADDRESS}",
        f"--advertise-address={ADDRESS}",
        f"--tls-cert-file={KEYS}/apiserver.crt",
        f"--tls-private-key-file={KEYS}/apiserver.key",
        f"--client-ca-file={KEYS}/ca.crt",
        f"--kubelet-client-certificate={KEYS}/admin.crt",
        f"--kubelet-client-key={KEYS}/admin.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={KEYS}/tokens.pub",
        f"--service-account-signing-key-file={KEYS}/tokens.key",
        "--authorization-mode=RBAC",
        "--enable-priority-and-fairness=false",
        f"--audit-policy-file={audit}",
        f"--audit-log-path={AUDIT_LOG}",
    )


_AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "userGroups": ["system:masters", "system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
    ],
}


def _start_containerd() -> None:
    network = STATE / "network"
    network.mkdir(exist_ok=True)
    _configure(network / "10-bridge.conflist", json.dumps(_network()))
    configuration = STATE / "containerd.toml"
    _configure(configuration, _containerd(network))
    start("containerd", "containerd", "--config", configuration)
    eventually("containerd to answer", lambda: ctr("version"))
    load_images()


def _network() -> object:
    addresses = {
        "type": "host-local",
        "dataDir": f"{STATE}/addresses",
        "ranges": [[{"subnet": PODS, "gateway": ADDRESS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "hairpinMode": True, "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}


def _containerd(network: Path) -> str:
    return f"""\
version = 2
root = "{LAYERS}"
state = "{STATE}/containerd"
[grpc]
address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
disable_apparmor = true
restrict_oom_score_adj = true
disable_hugetlb_controller = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{network}"
"""


def _configure(file: Path, text: str) -> None:
    """A file that says so already stays as it is: kube-proxy ends when its own is written."""
    if not file.exists() or file.read_text() != text:
        file.write_text(text)


def _start_controllers() -> None:
    alone = ["--leader-elect=false", "--bind-address=127.0.0.1", f"--kubeconfig={KUBECONFIG}"]
    start(
        "kube-controller-manager",
        BIN / "kube-controller-manager",
        *alone,
        f"--service-account-private-key-file={KEYS}/tokens.key",
        f"--root-ca-file={KEYS}/ca.crt",
        "--use-service-account-credentials=true",
    )
    start("kube-scheduler", BIN / "kube-scheduler", *alone)


def _start_kubelet() -> None:
    KUBELET.mkdir(exist_ok=True)
    names = STATE / "resolv.conf"
    _configure(names, "nameserver 127.0.0.1\n")
    configuration = STATE / "kubelet.json"
    _configure(configuration, json.dumps(_kubelet(names)))
    start(
        "kubelet",
        BIN / "kubelet",
        f"--config={configuration}",
        f"--kubeconfig={KUBECONFIG}",
        f"--hostname-override={NODE}",
        f"--node-ip={ADDRESS}",
        f"--root-dir={KUBELET}",
        f"--cert-dir={STATE}/kubelet-certificates",
    )
    eventually("the node to register", lambda: kubectl("get", "node", NODE))


def _kubelet(names: Path) -> object:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": f"{KEYS}/ca.crt"},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(names),
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "podLogsDir": f"{STATE}/pod-logs",
        "serializeImagePulls": False,
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    }


def _start_names() -> None:
    proxy = STATE / "kube-proxy.json"
    _configure(proxy, json.dumps(_proxy()))
    start("kube-proxy", BIN / "kube-proxy", f"--config={proxy}")
    corefile = STATE / "Corefile"
    _configure(
        corefile,
        f"""\
.:53 {{
  bind {ADDRESS}
  errors
  ready 127.0.0.1:18181
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {KUBECONFIG} test
    ttl 5
  }}
  cache 5
  loadbalance
}}
""",
    )
    start("coredns", BIN / "coredns", "-conf", corefile)
    ports = [{"name": name, "port": 53, "protocol": name.upper()} for name in ("udp", "tcp")]
    metadata = {"name": "kube-dns", "namespace": "kube-system"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"clusterIP": DNS, "ports": ports},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata | {"labels": {"kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}}],
        "ports": ports,
    }
    apply(service, endpoints)


def _proxy() -> object:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "bindAddress": ADDRESS,
        "hostnameOverride": NODE,
        "mode": "iptables",
        "clusterCIDR": PODS,
        "clientConnection": {"kubeconfig": str(KUBECONFIG)},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "conntrack": {"maxPerCore": 0, "min": 0},
    }


def down() -> None:
    """Nothing of it runs or is mounted any more; programs and images stay for the next time."""
    for name in _CLIENTS:
        stop(name)
    if CONTAINERD_SOCKET.exists():
        _remove_containers()
    for name in _SERVERS:
        stop(name)
    _unmount()
    _remove_network()
    _remove_control_groups()
    for left in STATE.glob("*"):
        if left not in {LOGS, PIDS}:
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def _remove_control_groups() -> None:
    for group in Path("/sys/fs/cgroup").glob("*/kubepods"):
        for folder in sorted((each for each in group.rglob("*") if each.is_dir()), reverse=True):
            folder.rmdir()
        group.rmdir()


def _remove_containers() -> None:
    for task in ctr("tasks", "list", "--quiet", check=False).split():
        ctr("tasks", "kill", "--all", "--signal", "SIGKILL", task, check=False)
        ctr("tasks", "delete", "--force", task, check=False)
    for container in ctr("containers", "list", "--quiet", check=False).split():
        ctr("containers", "delete", container, check=False)


def _remove_network() -> None:
    for namespace in run("ip", "netns", "list", check=False).splitlines():
        if namespace.startswith("cni-"):
            run("ip", "netns", "delete", namespace.split()[0], check=False)
    run("ip", "link", "delete", BRIDGE, check=False)
    kept = [rule for rule in run("iptables-save").splitlines() if not ("KUBE-" in rule or BRIDGE in rule)]
    run("iptables-restore", stdin="\n".join(kept) + "\n")


def _unmount() -> None:
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((each for each in mounts if each.startswith(f"{STATE}/")), reverse=True):
        run("umount", mount, check=False)
