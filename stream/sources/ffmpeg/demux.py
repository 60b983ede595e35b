"""Opening media with FFmpeg, and its errors as one line without secrets."""

import errno
import socket
import ssl
from typing import Final
from urllib.parse import urlsplit

import av
import msgspec
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard

from whoplays.models.errors import SourceError
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.ffmpeg.playlist import BODY_BYTES, MOST_PLAYLISTS, describe, first_address
from whoplays.stream.sources.ffmpeg.proxy import EgressProxy
from whoplays.stream.sources.ffmpeg.rtsp import is_rtsp, redirect_of


class MediaSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Where media are, and which channels are taken."""

    url: str
    """As FFmpeg takes it, with its user and password: it must not be shown."""
    name: str
    """As messages show it."""
    form: str | None = None
    """FFmpeg's name of its format; None to find out."""
    selection: ChannelSelection


CONNECT_S: Final = 5.0
MOST_REDIRECTS: Final = 5
CLOSED: Final = "the server closed the connection"
_TLS_PORTS: Final = {"https": 443, "rtsps": 322}


def _reason(url: str, proxy: EgressProxy, error: av.error.FFmpegError) -> str:
    """What went wrong; never `str(error)`, which holds the address with its password."""
    if proxy.problem:
        return proxy.problem
    match error:
        case av.error.ExitError() | av.error.TimeoutError():
            return "it sends nothing"
        case av.error.EOFError():
            return "it ends before any audio comes"
        case av.error.InvalidDataError():
            return "it is not audio that FFmpeg can read"
        case av.error.OSError():
            return _unreachable(url) or (CLOSED if error.errno == errno.EIO else str(error.strerror))
        case _:
            return str(error.strerror)


def _unreachable(url: str) -> str:
    """Why the server cannot be reached; empty if it can."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        port = parts.port or _TLS_PORTS.get(parts.scheme, 80)
        socket.getaddrinfo(host, port)
        if parts.scheme in _TLS_PORTS:
            with socket.create_connection((host, port), CONNECT_S) as connection:
                ssl.create_default_context().wrap_socket(connection, server_hostname=host).close()
    except socket.gaierror:
        return f"host {host} not found"
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted ({error.verify_message}); set SSL_CERT_FILE to one that signs it"
    except OSError as error:
        return error.strerror or str(error)
    return ""


OPEN_S: Final = 20.0
READ_S: Final = 15.0
"""How long FFmpeg waits for data; the stream may reopen the source sooner."""

# What comes can name other addresses: it must not make us read files here, nor listen where a server says.
_HTTP_PROTOCOLS: Final = "http,https,httpproxy,tcp,tls,crypto,data"
_RTSP_PROTOCOLS: Final = "rtsp,rtp,udp,tcp,tls"
_NETWORK: Final = {
    # RTP within the RTSP connection if the server can: then no packet is lost.
    "rtsp_flags": "prefer_tcp",
    # Pictures are not even asked for.
    "allowed_media_types": "audio",
    # Each request is a connection, which the proxy sees.
    "http_persistent": "0",
    # Or a password could be given to anybody; FFmpeg does not check unless this is set.
    "tls_verify": "1",
}


def open_container(media: MediaSpec, proxy: EgressProxy) -> InputContainer:
    """Connect to it, through a proxy, and find out what it holds; a playlist leads to the first address in it.

    Raises:
        SourceError: it cannot be reached, cannot be read, or has no audio.
    """
    url = follow_redirects(media, proxy) if is_rtsp(media.url) else media.url
    for _ in range(MOST_PLAYLISTS):
        try:
            container = _open(url, media.form if url == media.url else None, proxy)
        except av.error.InvalidDataError as error:
            following, problem = _look_into(url, proxy)
            if following is None:
                raise SourceError(f"{media.name} cannot be opened: {problem}") from error
            url = following
            continue
        except av.error.FFmpegError as error:
            raise SourceError(f"{media.name} cannot be opened: {_reason(url, proxy, error)}") from error
        if container.streams.audio and container.streams.audio[0].codec_context is not None:
            return container
        container.close()
        following, _ = _look_into(url, proxy)
        if following is None:
            raise SourceError(f"{media.name} has no audio that FFmpeg can decode; give a stream that has")
        url = following
    raise SourceError(f"{media.name} is a playlist of playlists; give the address of the stream itself")


def follow_redirects(media: MediaSpec, proxy: EgressProxy) -> str:
    """Where a server of RTSP leads, which FFmpeg would follow without end, and anywhere.

    Raises:
        SourceError: it leads where it must not, or on and on.
    """
    url = media.url
    for _ in range(MOST_REDIRECTS):
        following = redirect_of(url, proxy)
        if proxy.refused:
            raise SourceError(f"{media.name} cannot be opened: {proxy.problem}")
        if following is None:
            return url
        url = following
    raise SourceError(f"{media.name} redirects again and again; give the address of the stream itself")


def _open(url: str, form: str | None, proxy: EgressProxy) -> InputContainer:
    protocols = {"protocol_whitelist": _RTSP_PROTOCOLS if is_rtsp(url) else _HTTP_PROTOCOLS}
    return av.open(url, format=form, options={**_network(), **protocols, **proxy.options}, timeout=(OPEN_S, READ_S))


def _look_into(url: str, proxy: EgressProxy) -> tuple[str | None, str]:
    """The address that a playlist names first, or what came instead of audio."""
    body = b""
    try:
        with open_data(url, proxy) as container:
            for packet in container.demux():
                body += bytes(packet)
                if len(body) >= BODY_BYTES:
                    break
    except av.error.FFmpegError as error:
        return None, _reason(url, proxy, error)
    return first_address(body, url), describe(body)


def first_audio(container: InputContainer) -> AudioStream:
    """Its first audio stream; of the others nothing is read, nor fetched where that can be avoided."""
    chosen = container.streams.audio[0]
    for stream in container.streams:
        stream.discard = Discard.default if stream is chosen else Discard.all
    return chosen


def read_error(media: MediaSpec, proxy: EgressProxy, error: av.error.FFmpegError) -> SourceError:
    """The error of reading media that were open."""
    return SourceError(f"{media.name} broke off: {_reason(media.url, proxy, error)}")


def has_end(container: InputContainer) -> bool:
    """Whether it is a recording, and no broadcast: that has neither length nor duration.

    Nothing but a lost connection ends a broadcast. A playlist says when it ends.
    """
    return container.duration is not None or container.size > 0


def open_data(url: str, proxy: EgressProxy) -> InputContainer:
    """Connect for the bytes as they are."""
    return _open(url, "data", proxy)


def _network() -> dict[str, str]:
    authorities = ssl.get_default_verify_paths().cafile
    return {**_NETWORK, "ca_file": authorities} if authorities else _NETWORK
