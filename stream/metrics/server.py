"""The HTTP server for monitoring: /metrics, /healthz, /readyz."""

import io
import ipaddress
import re
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple, Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from whoplays.models.errors import EndpointError
from whoplays.stream.common.logging import log
from whoplays.stream.common.thread_watch import ThreadWatch
from whoplays.stream.common.uri import host_and_port
from whoplays.stream.metrics.collectors import Metrics

REQUEST_S: Final = 5.0
_PLAIN: Final = "text/plain; charset=utf-8"

Answer = tuple[int, str, bytes]
"""Status, content type, body."""
Route = Callable[[str], Answer]
"""Answers a request, given the content types that it accepts."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request and closes the connection; reveals nothing of the server, and logs nothing."""

    server: "_Server"

    def setup(self) -> None:
        """Limit the time of the whole request: a byte now and then must not hold a thread for ever."""
        super().setup()
        self.connection.settimeout(REQUEST_S)
        self.rfile.close()
        self.rfile = io.BufferedReader(_Timed(self.connection, time.monotonic() + REQUEST_S))

    def do_GET(self) -> None:
        """Answer a path."""
        if not self.server.answers(self.headers.get("Host", "")):
            # A page in a browser here, whose name leads to this machine, would read what is meant for monitoring.
            self.send_error(421, "Host must be an address of this machine, or localhost")
            return
        route = self.server.routes.get(self.path.partition("?")[0])
        if route is None:
            self.send_error(404, f"path not found; there are: {', '.join(self.server.routes)}")
        else:
            self._answer(*route(self.headers.get("Accept", "")))

    do_HEAD = do_GET  # noqa: N815

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that cannot be served with one line."""
        self._answer(code, _PLAIN, f"{message or explain or 'error'}\n".encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: any client could fill the log."""

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


def _health(problem: str | None) -> Answer:
    return (200, _PLAIN, b"ok\n") if problem is None else (503, _PLAIN, f"{problem}\n".encode())


DEFAULT_ADDRESS: Final = "127.0.0.1:9464"


class HostPort(NamedTuple):
    """A numeric host and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return host_and_port(self.host, self.port)


def parse_address(address: str, *, insecure: bool) -> HostPort:
    """An address to serve on, which other machines cannot reach unless the user insists.

    Args:
        address: `HOST:PORT`, where HOST is `localhost`, an IPv4 address, or an IPv6 address in brackets.
        insecure: allow an address that is open to the network.

    Raises:
        EndpointError: the address is malformed, or is open to the network.

    >>> parse_address("[::1]:9464", insecure=False)
    HostPort(host='::1', port=9464)
    """
    found = re.fullmatch(r"(?P<host>localhost|[\d.]+|\[[\da-fA-F:.]+\]):(?P<port>\d{1,5})", address)
    try:
        if found is None or int(found["port"]) > 65_535:
            raise ValueError(address)
        host = ipaddress.ip_address("127.0.0.1" if found["host"] == "localhost" else found["host"].strip("[]"))
    except ValueError as error:
        raise EndpointError(f"address must be HOST:PORT, such as {DEFAULT_ADDRESS}, got {address!r}") from error
    if not (host.is_loopback or insecure):
        raise EndpointError(
            f"{address} is open to the network, where anyone could read the metrics; "
            "serve them on 127.0.0.1, or allow it with insecure"
        )
    return HostPort(str(host), int(found["port"]))


MOST_CLIENTS: Final = 16
POLL_S: Final = 0.1


class MetricsServer:
    """Answers monitoring over HTTP, in threads of its own, from `__enter__` to `__exit__`.

    No client can hold it: a request gets five seconds in all, sixteen are answered at once, more are disconnected.

    Args:
        address: where to listen, such as `127.0.0.1:9464`; port 0 takes any free one.
        metrics: what /metrics shows.
        unready: why a stream has no audio, in one line, or None if all have: /readyz.
        unhealthy: what is wrong, in one line, or None if nothing is: /healthz.
        insecure: allow an address that is open to the network.
        watch: starts the thread again, if need be.

    Raises:
        EndpointError: the address is malformed, or is open to the network; on entering: it cannot be bound.
    """

    def __init__(
        self,
        address: str,
        metrics: Metrics,
        unready: Callable[[], str | None],
        unhealthy: Callable[[], str | None],
        *,
        insecure: bool = False,
        watch: ThreadWatch | None = None,
    ) -> None:
        self.address = address
        """Once entered, the address as it is bound."""
        self._bind: Final = parse_address(address, insecure=insecure)
        self._routes: Final[dict[str, Route]] = {
            "/metrics": lambda accepted: _metrics(metrics.registry, accepted),
            "/healthz": lambda _: _health(unhealthy()),
            "/readyz": lambda _: _health(unready()),
        }
        self._watch: Final = watch or ThreadWatch(log())
        self._leaving: Final = threading.Event()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        try:
            self._server = _Server(self._bind, self._routes)
        except OSError as error:
            text = f"cannot serve metrics on {self.address}: {error.strerror or error}; give another address"
            raise EndpointError(text) from error
        self.address = str(HostPort(self._bind.host, self._server.server_address[1]))
        serve = partial(self._server.serve_forever, POLL_S)
        self._thread = threading.Thread(
            target=self._watch.run, args=("metrics", serve, self._leaving), name="whoplays-metrics"
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server and self._thread:
            self._leaving.set()
            self._server.shutdown()
            self._thread.join()
            self._server.disconnect_all()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = MOST_CLIENTS

    def __init__(self, bind: HostPort, routes: dict[str, Route]) -> None:
        self.address_family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
        self.routes: Final = routes
        self._host: Final = bind.host
        self._clients: Final[set[socket.socket]] = set()
        self._lock: Final = threading.Lock()
        super().__init__(bind, Handler)

    def answers(self, host: str) -> bool:
        """Whether a request for a host is meant for this server; where the network may ask, any name is."""
        if not ipaddress.ip_address(self._host).is_loopback:
            return True
        name = re.fullmatch(r"(?P<name>[^:\[\]]*|\[[^\]]*\])(?::\d*)?", host)
        return name is not None and name["name"].strip("[]").lower() in {
            "",
            "localhost",
            "127.0.0.1",
            "::1",
            self._host,
        }

    def server_bind(self) -> None:
        # Not the one of HTTPServer, which asks the network for the host's name.
        socketserver.TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            full = len(self._clients) >= MOST_CLIENTS
            if not full:
                self._clients.add(request)
        if full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        threading.current_thread().name = "whoplays-metrics-client"
        super().process_request_thread(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._lock:
            self._clients.discard(request)

    def disconnect_all(self) -> None:
        """End the requests that are still being read."""
        with self._lock:
            for request in self._clients:
                with suppress(OSError):  # it has left by itself
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print errors that are not the client's disconnecting."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
