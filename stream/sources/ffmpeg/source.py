"""Streams from the network as a source."""

from urllib.parse import urlsplit

import msgspec

from whoplays.models.errors import SourceError
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.common.uri import redact
from whoplays.stream.sources.base import Source
from whoplays.stream.sources.ffmpeg.demux import MediaSpec
from whoplays.stream.sources.worker import ChildSource


def open_network_media(uri: str, selection: ChannelSelection) -> Source:
    """Open what FFmpeg reads from the network, in a child process: FFmpeg can block for ever.

    Args:
        uri: `http://`, `https://`, `rtsp://` or `rtsps://` and the rest; `hls:` and the http(s) address of a playlist
            (`hls://host/…` stands for `hls:http://host/…`), for servers that do not say that it is one.
        selection: which channels are taken, and how loud.

    Raises:
        SourceError: the address has no host.
    """
    is_playlist = uri.lower().startswith("hls:")
    url = _playlist_url(uri) if is_playlist else uri
    media = MediaSpec(url=url, name=_name(url), form="hls" if is_playlist else None, selection=selection)
    return ChildSource(
        "whoplays.stream.sources.ffmpeg.player:play",
        {"media": msgspec.to_builtins(media)},
        name=media.name,
        uri=redact(f"hls:{url}" if is_playlist else url),
        clock="arrival",
        disconnect_cause="network",
    )


def _playlist_url(uri: str) -> str:
    """The address of a playlist, as `hls:https://host/a`, `hls://https://host/a` or `hls://host/a` name it."""
    place = uri.partition(":")[2].removeprefix("//")
    return place if place.startswith(("http://", "https://")) else f"http://{place}"


def _name(url: str) -> str:
    """Host, port and path, as far as they may be shown."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        # Without the address: whatever is wrong with it, it may be a password.
        raise SourceError(
            "host not found in the address; give one, as in http://host:8000/live; "
            "in a user or a password write %40 for @, %2F for /, %3A for :"
        )
    return redact(url.partition("?")[0]).partition("://")[2]
