"""Why FFmpeg failed, in words; FFmpeg itself says "Input/output error" of most that goes wrong on a network."""

import errno
import socket
import ssl
from typing import Final
from urllib.parse import urlsplit

import av

from whoplays.stream.sources.ffmpeg.spot import Spot

TRY_S: Final = 5.0
CLOSED: Final = "the server closed the connection"
_TLS_PORTS: Final = {"https": 443, "rtsps": 322}


def reason(spot: Spot, error: av.error.FFmpegError) -> str:
    """What went wrong; never `str(error)`, which holds the address with its password."""
    if isinstance(error, av.error.ExitError | av.error.TimeoutError):
        return "it sends nothing"
    if isinstance(error, av.error.EOFError):
        return "it ends before any audio comes"
    if isinstance(error, av.error.InvalidDataError):
        return "it is no audio that can be read"
    if spot.network and isinstance(error, av.error.OSError):
        unnamed = CLOSED if error.errno == errno.EIO else str(error.strerror)
        return _unreachable(spot.url) or unnamed
    return str(error.strerror)


def _unreachable(url: str) -> str:
    """Why the server cannot be talked to; empty if it can."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        port = parts.port or _TLS_PORTS.get(parts.scheme, 80)
        socket.getaddrinfo(host, port)
        if parts.scheme in _TLS_PORTS:
            with socket.create_connection((host, port), TRY_S) as connection:
                ssl.create_default_context().wrap_socket(connection, server_hostname=host).close()
    except socket.gaierror:
        return f"there is no host {host}"
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted ({error.verify_message}); set SSL_CERT_FILE to one that vouches for it"
    except OSError as error:
        return error.strerror or str(error)
    return ""
