"""What the server says of a check, which was shown a password, and may say as much as it likes."""

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kanfunc.domain.errors import ClientFailed
from kanfunc.domain.inquiry import Question, Session
from kanfunc.gateways.client import PsycopgClient
from kanfunc.gateways.credentials import Credentials
from tests.client.conftest import HOST, ask
from tests.client.test_hostile import Owner, sql  # noqa: F401 - a fixture
from tests.lab.certificates import Authority
from tests.lab.test_postgres import Site

WORD = "canary-of-a-check"


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


@contextmanager
def echoing(folder: Path, cut: int) -> Iterator[int]:
    """A server of the cluster's authority that asks for the password in clear, and says it."""
    authority = Authority.create()
    pair = authority.server([HOST])
    (folder / "ca.crt").write_bytes(authority.certificate)
    (folder / "server.pem").write_bytes(pair.certificate + pair.key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.pem")
    listening = socket.create_server((HOST, 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connection.recv(8)
                connection.sendall(b"S")
                with tls.wrap_socket(connection, server_side=True) as wire:
                    wire.recv(4096)
                    wire.sendall(message(b"R", struct.pack("!I", 3)))
                    shown = wire.recv(4096)[5:].rstrip(b"\0")
                    said = b"\x1b[2Jyou said " + shown[: len(shown) - cut] + b" \n" + b"x" * 10_000
                    wire.sendall(message(b"E", b"SFATAL\0VFATAL\0C28P01\0M" + said + b"\0\0"))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


@pytest.mark.parametrize("tail", ["", "\n", "\r\n", " "])
@pytest.mark.parametrize("cut", [0, 2])
def test_a_password_in_clear_is_not_told(tmp_path: Path, tail: str, cut: int) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "password").write_bytes(f"{WORD}{tail}".encode())
    session = Session(host=HOST, database="app", user="app", role=None, method=None, server="", version=15,
                      seconds=5)  # fmt: skip
    with (
        echoing(tmp_path, cut) as port,
        pytest.raises(ClientFailed) as failed,
        PsycopgClient(Credentials(tmp_path), port).conversation(session),
    ):
        pass
    found = failed.value.found
    assert "you said" in found
    assert "canary" not in found
    assert found.isprintable()
    assert len(found) <= 2000


@pytest.mark.parametrize("text", [b"canary\xff", b"\xed\xa0\x80canary"])
def test_nothing_of_a_password_that_is_no_text(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "password").write_bytes(text)
    session = Session(host=HOST, database="app", user="app", role=None, method=None, server="", version=15,
                      seconds=5)  # fmt: skip
    refused = pytest.raises(ClientFailed)
    with refused as failed, PsycopgClient(Credentials(tmp_path), 1).conversation(session):
        pass
    assert "0x" not in failed.value.found


@pytest.mark.lab
def test_a_message_of_100_megabytes(site: Site, folder: Path, sql: Owner, session: Session) -> None:  # noqa: F811
    sql("CREATE FUNCTION loud() RETURNS int LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '%', repeat('e', 100000000); END $$")  # fmt: skip
    with pytest.raises(ClientFailed) as failed:
        ask(site, folder, session, Question("SELECT loud()", width=10))
    assert len(failed.value.found) <= 2000
