"""A TCP proxy before the API server that cuts connections: in the middle of what the server says."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards to a port of this machine. `cut(number, data)` is asked before each piece of what the server
    says is handed on; where it is true half of it is, and then the connection is reset on both sides.
    """

    def __init__(self, port: int, cut: Callable[[int, bytes], bool]) -> None:
        self.cuts = 0
        """How many connections were cut."""
        self._target, self._cut = port, cut
        self._number = 0
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in list(self._open):
            _reset(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open |= {client, server}
                threading.Thread(target=self._pump, args=(client, server), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool = False) -> None:  # noqa: FBT001, FBT002 - a thread's argument
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if answers and self._is_cut(data):
                    sink.sendall(data[: len(data) // 2])
                    _reset(source)
                    _reset(sink)
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def _is_cut(self, data: bytes) -> bool:
        with self._lock:
            self._number += 1
            cut = self._cut(self._number, data)
            self.cuts += cut
        return cut


def _reset(connection: socket.socket) -> None:
    """Closed so that the other side gets a reset instead of an end."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RD)
    connection.close()
