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
from base64 import b64encode
from contextlib import suppress
from typing import Final, Self
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from whoplays.stream.common.uri import is_loopback

CONNECT_S: Final = 10.0
HEAD_BYTES: Final = 65_536
CHUNK_BYTES: Final = 65_536
BURST_CONNECTIONS: Final = 50
CONNECTIONS_PER_S: Final = 10.0
MOST_AT_ONCE: Final = 32
ALLOW: Final = "WHOPLAYS_ALLOW_PRIVATE"
"""The variable that lets redirects and playlists lead anywhere."""
_PRIVATE: Final = f"it leads to {{}}, which is not on the open internet; give its address, or set {ALLOW}=1"
_BYPASS: Final = "no_proxy"
"""The variable by which FFmpeg leaves out a proxy, and would leave out this one."""


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
    """Serves FFmpeg in this process, from `__enter__` to `__exit__`.

    From an address on the open internet nothing leads to this machine or its network: not a redirect, nor a playlist,
    nor a name that is looked up again. Whoever means such an address gives it itself. A proxy that the user has set by
    `http_proxy`, `https_proxy` or `all_proxy` is connected to for whatever `no_proxy` does not except.

    Args:
        url: that the user has given.
    """

    def __init__(self, url: str) -> None:
        self.problem = ""
        """Why the last connection was not made; empty if it was."""
        self.refused = False
        """Whether that is because it leads where it must not."""
        self._proxies: Final = getproxies_environment()
        public = is_public(urlsplit(url).hostname or "")
        # What only a proxy can look up is on its side of it.
        from_public = bool(self._proxies) if public is None else public
        self._only_public: Final = from_public and os.environ.get(ALLOW) != "1"
        self._allowance: Final = _Allowance()
        self._server: Final = _ProxyServer(self)
        self._bypass: str | None = None

    def __enter__(self) -> Self:
        self._bypass = os.environ.pop(_BYPASS, None)
        threading.Thread(target=self._server.serve_forever, name="whoplays-proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self._bypass is not None:
            os.environ[_BYPASS] = self._bypass

    @property
    def options(self) -> dict[str, str]:
        """What FFmpeg needs to be told."""
        return {"http_proxy": f"http://127.0.0.1:{self._server.server_address[1]}"}

    def upstream(self, scheme: str, host: str) -> SplitResult | None:
        """The proxy that the user has set for a host; none for this machine itself."""
        found = self._proxies.get(scheme) or self._proxies.get("all")
        if not found or is_loopback(host) or proxy_bypass_environment(host, self._proxies):
            return None
        return urlsplit(found if "//" in found else f"//{found}")

    def connect_through(self, upstream: SplitResult, host: str) -> socket.socket:
        """Connect to the user's proxy, for a host that may be connected to.

        Raises:
            OSError: it may not, or the proxy does not answer.
        """
        if self._only_public and is_public(host) is False:
            self.problem = _PRIVATE.format(host)
            raise OSError(self.problem)
        return self._connected(upstream.hostname or "", upstream.port or 80, only_public=False)

    def connect(self, host: str, port: int) -> socket.socket:
        """Connect to one of a host's addresses that may be connected to.

        Raises:
            OSError: there is none, or none answers.
        """
        return self._connected(host, port, only_public=self._only_public)

    def _connected(self, host: str, port: int, *, only_public: bool) -> socket.socket:
        self._allowance.wait()
        self.problem, self.refused = f"host {host} not found", False
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if only_public and not _is_global(address[0]):
                self.problem, self.refused = _PRIVATE.format(host), True
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
                self.problem, self.refused = "", False
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
        first, *lines = head.split(b"\r\n")
        method, target, version = first.decode("latin-1").split(" ")
        kept = [line for line in lines if not line.lower().startswith((b"proxy-", b"connection:"))]
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        host, proxy = parts.hostname or "", self.server.proxy
        upstream = proxy.upstream("https" if method == "CONNECT" else "http", host)
        if upstream:
            with proxy.connect_through(upstream, host) as there:
                self._request(there, [first, *_authorisation(upstream), *kept], rest)
            return
        with proxy.connect(host, parts.port or 80) as there:
            if method == "CONNECT":
                self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                there.sendall(rest)
                _relay(self.request, there)
            else:
                place = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
                first = f"{method} {place} {version}".encode("latin-1")
                self._request(there, [first, b"Connection: close", *kept], rest)

    def _request(self, there: socket.socket, head: list[bytes], rest: bytes) -> None:
        there.sendall(b"\r\n".join(head) + b"\r\n\r\n" + rest)
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


def _authorisation(upstream: SplitResult) -> list[bytes]:
    """By the name and password in the address of the user's proxy (RFC 7617), if there are any."""
    if upstream.username is None:
        return []
    return [b"Proxy-Authorization: " + basic_credentials(upstream).encode()]


def basic_credentials(parts: SplitResult) -> str:
    """The name and password in an address, as a header states them (RFC 7617)."""
    return "Basic " + b64encode(f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()).decode()


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
