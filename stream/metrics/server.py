"""The HTTP server for monitoring: /metrics, /healthz, /readyz."""

import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from whoplays.models.errors import EndpointError
from whoplays.stream.metrics.address import Place, parse_place
from whoplays.stream.metrics.collectors import Metrics
from whoplays.stream.metrics.handler import Handler

MOST_CLIENTS: Final = 16
POLL_S: Final = 0.1


class MetricsServer:
    """Answers monitoring over HTTP, in threads of its own, from `__enter__` to `__exit__`.

    Nobody can hold it for ever: a request gets five seconds in all, sixteen are answered at once, more are hung up on.

    Args:
        address: where to listen, such as `127.0.0.1:9464`; port 0 takes any free one.
        metrics: what /metrics tells.
        ready: why there is nothing to be heard yet, in one line, or None once there is: /readyz.
        healthy: what is wrong, in one line, or None if nothing is: /healthz.
        insecure: allow an address that is open to the network.

    Raises:
        EndpointError: the address is none, or is open to the network; on entering: it cannot be listened on.
    """

    def __init__(
        self,
        address: str,
        metrics: Metrics,
        ready: Callable[[], str | None],
        healthy: Callable[[], str | None],
        *,
        insecure: bool = False,
    ) -> None:
        self.address = address
        """Once entered, the address as it is bound."""
        self._place: Final = parse_place(address, insecure=insecure)
        self._handler: Final = Handler.answering(metrics.registry, ready, healthy)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        try:
            self._server = _Server(self._place, self._handler)
        except OSError as error:
            text = f"cannot serve metrics on {self.address}: {error.strerror or error}; give another address"
            raise EndpointError(text) from error
        self.address = str(Place(self._place.host, self._server.server_address[1]))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_S,), name="whoplays-metrics")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server and self._thread:
            self._server.shutdown()
            self._thread.join()
            self._server.hang_up()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = MOST_CLIENTS

    def __init__(self, place: Place, handler: type[Handler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        self._clients: Final[set[socket.socket]] = set()
        self._lock: Final = threading.Lock()
        super().__init__((place.host, place.port), handler)

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

    def hang_up(self) -> None:
        """Leave all who are still asking."""
        with self._lock:
            for request in self._clients:
                with suppress(OSError):  # it has left by itself
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up is nobody's error; anything else is ours, and is printed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
