"""No secret value ever comes out, whatever is asked and however it ends."""

import base64
from pathlib import Path

import pytest
import yaml

from tests.builders import REF
from tests.gateways.conftest import FOREVER, of
from tests.lab.apiserver import EVENTS, SECRETS, ApiServer, Fault, Refuse
from tests.refusals.conftest import Call, World

TOKEN, PASSWORD = "eyJhbGciOi-token-of-the-caller", "correct-horse-battery-staple"
CALLS = [
    ("fence",),
    ("unfence", "--outcome", "success"),
    ("unfence", "--outcome", "failure"),
    ("verify-restore", "--primary-timeout", "1"),
    ("elect",),
]


@pytest.mark.parametrize("status", [0, 401, 403, 500])
@pytest.mark.parametrize("arguments", CALLS, ids=" ".join)
def test_no_secret_comes_out(arguments: tuple[str, ...], status: int, call: Call, tmp_path: Path) -> None:
    servers: list[ApiServer] = []

    def prepare(server: ApiServer) -> None:
        servers.append(server)
        secret = {"password": base64.b64encode(PASSWORD.encode()).decode()}
        metadata = {"name": "pg-app", "namespace": REF.namespace}
        server._store.create(SECRETS, {"metadata": metadata, "data": secret})
        file = tmp_path / "kubeconfig"
        config = yaml.safe_load(file.read_text())
        config["users"] = [{"name": user["name"], "user": {"token": TOKEN}} for user in config["users"]]
        file.write_text(yaml.safe_dump(config))
        if status:
            server.faults.append(Fault(of("pods"), Refuse(status), FOREVER))

    ended = call(World(standbys={}), *arguments, "-n", REF.namespace, prepare=prepare)
    events = servers[0]._store.list(EVENTS)
    told = f"{ended.log}{ended.stdout}{ended.usage}{events}"
    assert told
    for secret in (TOKEN, PASSWORD):
        assert secret not in told
        assert base64.b64encode(secret.encode()).decode() not in told
    assert not [each for each in servers[0].requests if each.plural == "secrets"]
