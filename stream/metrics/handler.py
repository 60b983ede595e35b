"""What the metrics server answers."""

import io
import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Final, Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

REQUEST_S: Final = 5.0
_PLAIN: Final = "text/plain; charset=utf-8"

Answer = tuple[int, str, bytes]
"""Status, content type, body."""
Path = Callable[[str], Answer]
"""Answers a request that accepts some content types."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request and hangs up; says nothing of itself, and logs nothing."""

    paths: dict[str, Path]

    @classmethod
    def answering(
        cls, registry: CollectorRegistry, ready: Callable[[], str | None], healthy: Callable[[], str | None]
    ) -> type[Self]:
        """A handler that knows what to answer; see `MetricsServer`."""
        paths: dict[str, Path] = {
            "/metrics": lambda accepted: _metrics(registry, accepted),
            "/healthz": lambda _: _health(healthy()),
            "/readyz": lambda _: _health(ready()),
        }
        return type(cls.__name__, (cls,), {"paths": paths})

    def setup(self) -> None:
        """Give the request its time, all in all: a byte now and then must not hold a thread for ever."""
        super().setup()
        self.connection.settimeout(REQUEST_S)
        self.rfile.close()
        self.rfile = io.BufferedReader(_Timed(self.connection, time.monotonic() + REQUEST_S))

    def do_GET(self) -> None:
        """Answer a path."""
        path = self.paths.get(self.path.partition("?")[0])
        if path is None:
            self.send_error(404, "there are /metrics, /healthz and /readyz")
        else:
            self._answer(*path(self.headers.get("Accept", "")))

    do_HEAD = do_GET  # noqa: N815

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what cannot be done, in one line."""
        self._answer(code, _PLAIN, f"{message or explain or 'no'}\n".encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: whoever may ask could fill the log."""

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.close_connection = True
        self.send_response_only(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Timed(io.RawIOBase):
    """Reads from a socket until a deadline."""

    def __init__(self, connection: socket.socket, deadline_s: float) -> None:
        self._connection = connection
        self._deadline_s = deadline_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        left_s = self._deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._connection.settimeout(left_s)
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(REQUEST_S)


def _metrics(registry: CollectorRegistry, accepted: str) -> Answer:
    if "application/openmetrics-text" in accepted:
        return 200, openmetrics.CONTENT_TYPE_LATEST, openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
    return 200, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(registry)


def _health(trouble: str | None) -> Answer:
    return (200, _PLAIN, b"ok\n") if trouble is None else (503, _PLAIN, f"{trouble}\n".encode())
