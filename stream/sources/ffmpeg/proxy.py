"""The HTTP proxy through which FFmpeg connects: whatever redirects and playlists say, only where it may.

FFmpeg follows redirects and playlists by itself. Through a proxy of this process, each of its connections is seen: the
address that a name leads to is checked and then connected to, and connections are made no faster than any player needs.
"""

import ipaddress
import os
import select
import socket
import socketserver
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

CONNECT_S: Final = 10.0
HEAD_BYTES: Final = 65_536
CHUNK_BYTES: Final = 65_536
BURST_CONNECTIONS: Final = 50
CONNECTIONS_PER_S: Final = 10.0
MOST_AT_ONCE: Final = 32
_VARIABLES: Final = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def is_public(host: str) -> bool | None:
    """Whether every address that a host has is on the open internet; None if it has none."""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return None
    return all(map(_is_global, found))


def _is_global(address: str | int) -> bool:
    parsed = ipaddress.ip_address(str(address).partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return parsed.is_global and not parsed.is_multicast


class EgressProxy:
    """Serves FFmpeg in this process, from `__enter__` to `__exit__`; nothing if the user has set a proxy.

    From an address on the open internet nothing leads to this machine or its network: not a redirect, nor a playlist,
    nor a name that is looked up again. Whoever means such an address gives it itself.

    Args:
        url: that the user has given.
    """

    def __init__(self, url: str) -> None:
        self.problem = ""
        """Why the last connection was not made; empty if it was."""
        self._only_public: Final = bool(is_public(urlsplit(url).hostname or ""))
        self._allowance: Final = _Allowance()
        self._server: _ProxyServer | None = None

    def __enter__(self) -> Self:
        if not any(os.environ.get(name) for name in _VARIABLES):
            self._server = _ProxyServer(self)
            threading.Thread(target=self._server.serve_forever, name="whoplays-proxy", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    @property
    def options(self) -> dict[str, str]:
        """What FFmpeg needs to be told."""
        return {"http_proxy": f"http://127.0.0.1:{self._server.server_address[1]}"} if self._server else {}

    def connect(self, host: str, port: int) -> socket.socket:
        """Connect to one of a host's addresses that may be connected to.

        Raises:
            OSError: there is none, or none answers.
        """
        self._allowance.wait()
        self.problem = f"host {host} not found"
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if self._only_public and not _is_global(address[0]):
                self.problem = (
                    f"it leads to {host}, which is not on the open internet; if that is meant, give its address"
                )
                continue
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(CONNECT_S)
                connection.connect(address)
            except OSError as error:
                connection.close()
                self.problem = error.strerror or str(error)
            else:
                connection.settimeout(None)
                self.problem = ""
                return connection
        raise OSError(self.problem)


class _Allowance:
    """So many connections at once, and then so many a second; whoever wants more waits."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._free_at_s = time.monotonic() - BURST_CONNECTIONS / CONNECTIONS_PER_S

    def wait(self) -> None:
        with self._lock:
            now_s = time.monotonic()
            self._free_at_s = max(self._free_at_s, now_s - BURST_CONNECTIONS / CONNECTIONS_PER_S)
            self._free_at_s += 1 / CONNECTIONS_PER_S
            wait_s = self._free_at_s - now_s
        time.sleep(max(0.0, wait_s))


class _ProxyServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = MOST_AT_ONCE

    def __init__(self, proxy: EgressProxy) -> None:
        self.proxy: Final = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: FFmpeg sees that the connection is closed, and says so."""


class _Handler(socketserver.BaseRequestHandler):
    server: _ProxyServer
    request: socket.socket

    def handle(self) -> None:
        head, rest = self._read_head()
        method, target, version = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        with self.server.proxy.connect(parts.hostname or "", parts.port or 80) as there:
            if method == "CONNECT":
                self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                there.sendall(rest)
            else:
                place = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
                lines = head.split(b"\r\n")[1:]
                kept = [line for line in lines if not line.lower().startswith((b"proxy-", b"connection:"))]
                first = f"{method} {place} {version}".encode("latin-1")
                there.sendall(b"\r\n".join([first, b"Connection: close", *kept]) + b"\r\n\r\n" + rest)
            _relay(self.request, there)

    def _read_head(self) -> tuple[bytes, bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.request.recv(CHUNK_BYTES)
            if not more or len(data) > HEAD_BYTES:
                raise OSError("no request came")
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        return head, rest


def _relay(here: socket.socket, there: socket.socket) -> None:
    """Pass on what either end sends, until one has closed; each is waited for, so nothing piles up."""
    other = {here: there, there: here}
    with suppress(OSError):
        while True:
            for ready in select.select([here, there], [], [])[0]:
                data = ready.recv(CHUNK_BYTES)
                if not data:
                    return
                other[ready].sendall(data)
