"""Streams and container files as a source."""

from pathlib import Path
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
    media = MediaSpec(url=url, name=_name(url), form="hls" if is_playlist else None, network=True, selection=selection)
    return _source(media, redact(f"hls:{url}" if is_playlist else url))


def open_media_file(uri: str, selection: ChannelSelection) -> Source:
    """Open `media:` and a file's path, which FFmpeg reads and which is played in real time.

    Raises:
        SourceError: there is no such file.
    """
    place = uri.partition(":")[2]
    if "://" in place:
        raise SourceError("media: must be followed by a file's path; give an address without media: before it")
    utf8 = place.encode(errors="replace").decode()
    if utf8 != place:
        raise SourceError(f"media: must be followed by a path in UTF-8, got {utf8}; rename the file")
    path = Path(place).absolute()
    try:
        regular, exists = path.is_file(), path.exists()
    except (OSError, ValueError) as error:
        raise SourceError(f"{place} cannot be read: {error}") from error
    if not regular:
        raise SourceError(f"{place} is not a file; give one" if exists else f"{place} not found")
    return _source(MediaSpec(url=str(path), name=path.name, network=False, selection=selection), f"media:{path}")


def _source(media: MediaSpec, uri: str) -> Source:
    return ChildSource(
        "whoplays.stream.sources.ffmpeg.player:play",
        {"media": msgspec.to_builtins(media)},
        name=media.name,
        uri=uri,
        clock="arrival" if media.network else "file",
        disconnect_cause="network" if media.network else "device_lost",
    )


def _playlist_url(uri: str) -> str:
    """The address of a playlist, as `hls:https://host/a`, `hls://https://host/a` or `hls://host/a` name it."""
    place = uri.partition(":")[2].removeprefix("//")
    return place if place.startswith(("http://", "https://")) else f"http://{place}"


def _name(url: str) -> str:
    """Host, port and path."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    if not parts.hostname:
        # Without the address: whatever is wrong with it, it may be a password.
        raise SourceError(
            "host not found in the address; give one, as in http://host:8000/live; "
            "in a user or a password write %40 for @, %2F for /, %3A for :"
        )
    return f"{parts.hostname}{port}{parts.path}"
