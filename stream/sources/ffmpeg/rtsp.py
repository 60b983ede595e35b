"""Where a server of RTSP leads: asked before FFmpeg is, which follows any redirect by itself (RFC 2326 section 11)."""

import re
import socket
import ssl
from typing import Final
from urllib.parse import urljoin, urlsplit

from whoplays.stream.sources.ffmpeg.proxy import EgressProxy

ANSWER_S: Final = 5.0
HEAD_BYTES: Final = 16_384
_PORTS: Final = {"rtsp": 554, "rtsps": 322}
_REDIRECT: Final = re.compile(rb"RTSP/\S+ +3\d\d\b")
_LOCATION: Final = re.compile(rb"\r\nLocation: *([^\r\n]+)", re.IGNORECASE)


def is_rtsp(url: str) -> bool:
    """Whether it is an address of RTSP."""
    return urlsplit(url).scheme.lower() in _PORTS


def redirect_of(url: str, proxy: EgressProxy) -> str | None:
    """Where its server redirects to; None if it does not, or cannot be asked: FFmpeg then says why.

    Args:
        url: of RTSP.
        proxy: says where it may be connected to, and how often; `refused` if not there.
    """
    parts = urlsplit(url)
    try:
        with proxy.connect(parts.hostname or "", parts.port or _PORTS[parts.scheme.lower()]) as plain:
            plain.settimeout(ANSWER_S)
            connection = _encrypted(plain, parts.hostname or "") if parts.scheme.lower() == "rtsps" else plain
            shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
            request = f"DESCRIBE {shown} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\nUser-Agent: whoplays\r\n\r\n"
            connection.sendall(request.encode())
            head = _head(connection)
    except (OSError, UnicodeError):
        return None
    found = _LOCATION.search(head) if _REDIRECT.match(head) else None
    following = urljoin(url, found[1].decode("latin-1").strip()) if found else None
    return following if following and is_rtsp(following) else None


def _encrypted(plain: socket.socket, host: str) -> socket.socket:
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def _head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES and (data := connection.recv(4096)):
        head += data
    return head
