"""Streams and container files as a source."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from whoplays.models.errors import SourceError
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.common.uri import redact
from whoplays.stream.sources.base import Source
from whoplays.stream.sources.ffmpeg.demux import MediaSpec
from whoplays.stream.sources.worker import ChildSource

_WORK: Final = "whoplays.stream.sources.ffmpeg.player:play"


def open_media(uri: str, selection: ChannelSelection) -> Source:
    """Listen to what FFmpeg reads, in a child process: FFmpeg can block for ever.

    Args:
        uri: `http://`, `https://`, `rtsp://` or `rtsps://` and the rest; `hls:` and the http(s) address of a playlist
            (`hls://host/…` stands for `hls:http://host/…`), for servers that do not say that it is one; `media:` and
            a file's path, which is played in real time.
        selection: what is taken of it.

    Raises:
        SourceError: there is no such file, or it is no address.
    """
    scheme, _, rest = uri.partition(":")
    if scheme == "media":
        return _open_file(rest, selection)
    url = _playlist(rest) if scheme == "hls" else uri
    spot = MediaSpec(
        url=url, name=_name(url), form="hls" if scheme == "hls" else None, network=True, selection=selection
    )
    return _source(spot, redact(f"hls:{url}" if scheme == "hls" else url))


def _open_file(place: str, selection: ChannelSelection) -> Source:
    if "://" in place:
        raise SourceError("media: takes a file's path; give an address without media: before it")
    utf8 = place.encode(errors="replace").decode()
    if utf8 != place:
        raise SourceError(f"media: takes a name in UTF-8 only, not {utf8}; rename the file")
    path = Path(place).absolute()
    try:
        regular, there = path.is_file(), path.exists()
    except (OSError, ValueError) as error:
        raise SourceError(f"{place} cannot be read: {error}") from error
    if not regular:
        raise SourceError(f"{place} is no file; give one" if there else f"there is no file {place}")
    return _source(MediaSpec(url=str(path), name=path.name, network=False, selection=selection), f"media:{path}")


def _source(spot: MediaSpec, uri: str) -> Source:
    return ChildSource(
        _WORK,
        {"spot": msgspec.to_builtins(spot)},
        name=spot.name,
        uri=uri,
        clock="arrival" if spot.network else "file",
        disconnect_cause="network" if spot.network else "device_lost",
    )


def _playlist(rest: str) -> str:
    """The address of a playlist, as `hls:https://host/a`, `hls://https://host/a` or `hls://host/a` name it."""
    place = rest.removeprefix("//")
    return place if place.startswith(("http://", "https://")) else f"http://{place}"


def _name(url: str) -> str:
    """What people call it: host, port and path."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    if not parts.hostname:
        # Without the address: whatever is wrong with it, it may be a password.
        raise SourceError(
            "the address has no host that can be read, as in http://host:8000/live; "
            "in a user or a password write %40 for @, %2F for /, %3A for :"
        )
    return f"{parts.hostname}{port}{parts.path}"
