"""A TCP relay that can be cut, as a network can."""

import contextlib
import select
import socket
import threading
from typing import Self


class Relay:
    """Passes bytes on between whoever connects to `endpoint` and a target, until it is cut."""

    def __init__(self, target: str) -> None:
        host, _, port = target.removeprefix("tcp://").rpartition(":")
        self._target = (host, int(port))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._cut = threading.Event()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()
        self._server.close()

    def cut(self) -> None:
        """Break what is connected, and let nobody connect."""
        self._cut.set()

    def restore(self) -> None:
        self._cut.clear()

    def _run(self) -> None:
        while not self._left.is_set():
            if self._cut.is_set():
                self._disconnect_all()
            for ready in select.select([self._server, *self._pairs], [], [], 0.02)[0]:
                self._serve(ready)
        self._disconnect_all()

    def _serve(self, ready: socket.socket) -> None:
        if ready is self._server:
            self._accept()
        elif ready in self._pairs:
            with contextlib.suppress(OSError):
                data = ready.recv(1 << 16)
                self._pairs[ready].sendall(data)
                if data:
                    return
            self._close(ready)

    def _accept(self) -> None:
        near, _ = self._server.accept()
        if self._cut.is_set():
            near.close()
            return
        far = socket.create_connection(self._target)
        self._pairs |= {near: far, far: near}

    def _close(self, one: socket.socket) -> None:
        other = self._pairs.pop(one)
        self._pairs.pop(other)
        one.close()
        other.close()

    def _disconnect_all(self) -> None:
        while self._pairs:
            self._close(next(iter(self._pairs)))
