"""A terminal that is closed ends a command as SIGTERM does: the key of a kubeconfig stays in no file."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.certificates import Authority


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_no_key_is_left_behind(tmp_path: Path, number: signal.Signals) -> None:
    authority, left = Authority.create(), tmp_path / "tmp"
    pair = authority.client("me")
    left.mkdir()

    def data(text: bytes) -> str:
        return base64.b64encode(text).decode()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"https://127.0.0.1:{silent.getsockname()[1]}"
        user = {"client-certificate-data": data(pair.certificate), "client-key-data": data(pair.key)}
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "clusters": [{"name": "a", "cluster": {
                "server": server, "certificate-authority-data": data(authority.certificate)}}],
            "users": [{"name": "a", "user": user}],
        }  # fmt: skip
        (tmp_path / "config").write_text(json.dumps(config))
        process = subprocess.Popen(
            [sys.executable, "-m", "kanfunc", "--log-format", "json", "status", "-A"],
            env={**os.environ, "KUBECONFIG": str(tmp_path / "config"), "TMPDIR": str(left)},
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        silent.settimeout(30)
        connection, _ = silent.accept()  # it has read its key
        with connection:
            process.send_signal(number)
            _, log = process.communicate(timeout=30)
    assert process.returncode == 1
    assert number.name in log
    assert list(left.iterdir()) == []
