"""Who may speak to whom: an authority, the API server's certificate, an administrator's, a key for tokens."""

import base64
import json

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cluster.node.places import KEYS, KUBECONFIG

SERVER_NAMES = [
    "localhost",
    "kubernetes",
    *(f"kubernetes.default{rest}" for rest in ("", ".svc", ".svc.cluster.local")),
]


def make_keys(address: str, service_address: str) -> None:
    """All of them, and an administrator's kubeconfig for the API server at `address`."""
    KEYS.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(KEYS / "ca.crt")
    authority.private_key_pem.write_to_path(KEYS / "ca.key")
    server = authority.issue_cert(*SERVER_NAMES, "127.0.0.1", address, service_address)
    admin = authority.issue_cert("admin", common_name="admin", organization_name="system:masters")
    for name, pair in {"apiserver": server, "admin": admin}.items():
        pair.cert_chain_pems[0].write_to_path(KEYS / f"{name}.crt")
        pair.private_key_pem.write_to_path(KEYS / f"{name}.key")
        (KEYS / f"{name}.key").chmod(0o600)
    _make_token_keys()
    KUBECONFIG.write_text(json.dumps(_kubeconfig(address)))  # JSON is YAML
    KUBECONFIG.chmod(0o600)


def _make_token_keys() -> None:
    key = rsa.generate_private_key(65537, 2048)
    plain = serialization.NoEncryption()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (KEYS / "tokens.key").write_bytes(private)
    (KEYS / "tokens.key").chmod(0o600)
    (KEYS / "tokens.pub").write_bytes(public)


def _kubeconfig(address: str) -> object:
    def inline(file: str) -> str:
        return base64.b64encode((KEYS / file).read_bytes()).decode()

    cluster = {"server": f"https://{address}:6443", "certificate-authority-data": inline("ca.crt")}
    user = {"client-certificate-data": inline("admin.crt"), "client-key-data": inline("admin.key")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
