"""Every source there is, by what the user calls it."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from whoplays.models.errors import OptionError, SourceError
from whoplays.stream.audio.pcm import PcmFormat
from whoplays.stream.audio.resample import WHOLE, ChannelSelection
from whoplays.stream.common.uri import redact
from whoplays.stream.sources.base import Source
from whoplays.stream.sources.file import FileSource, Speed
from whoplays.stream.sources.stdin import PcmSource

CHOICES = "an audio file, - for raw PCM on standard input, or an address: device:, rtp://, zmq://, http://, rtsp://"

# Where each scheme's opener is: called with the whole address and the selection, loaded when it is used.
_OPENERS: Final = {
    "device": "whoplays.stream.sources.device.source:open_device",
    "rtp": "whoplays.stream.sources.rtp.source:open_rtp",
    "zmq": "whoplays.stream.sources.remote.source:open_remote",
    **dict.fromkeys(
        ("http", "https", "rtsp", "rtsps", "hls", "media"), "whoplays.stream.sources.ffmpeg.source:open_media"
    ),
}


def from_uri(
    uri: str, *, speed: Speed = "realtime", pcm: PcmFormat | None = None, selection: ChannelSelection = WHOLE
) -> Source:
    """Open a source.

    Args:
        uri: a file's path, `file://` and a path, `-` for raw PCM on standard input, or an address of a live source.
        speed: how fast a file is played.
        pcm: how raw PCM is to be read, if it is that.
        selection: which channels are taken, and how loud.

    Raises:
        SourceError: there is no such source, or it cannot be listened to.
        OptionError: the speed is neither `realtime` nor `max`, or it is no raw PCM and said how to be read.
    """
    if speed not in ("realtime", "max"):
        raise OptionError(f"unknown speed {speed!r}; give realtime or max")
    if uri == "-":
        return PcmSource(pcm or PcmFormat(), selection=selection)
    if pcm is not None:
        raise OptionError(
            f"{redact(uri)} says itself what its format, rate and channels are; "
            "leave out what is for raw PCM, whose address is -"
        )
    scheme = scheme_of(uri)
    if scheme in _OPENERS:
        return _opener(_OPENERS[scheme])(uri, selection)
    if scheme == "file":
        return FileSource(_path(uri), speed, selection)
    if scheme:
        raise SourceError(f"cannot listen to {scheme}: addresses; give {CHOICES}")
    return FileSource(Path(uri), speed, selection)


def scheme_of(uri: str) -> str:
    """What an address begins with, such as `rtp`; empty for a file's path."""
    scheme, separator, rest = uri.partition(":")
    scheme = scheme.lower()
    if separator and (scheme in _OPENERS or rest.startswith("//")):
        return scheme
    return ""


def reconnects_uri(uri: str) -> bool:
    """Whether an address is that of a live source, which is opened again when it is lost."""
    scheme = scheme_of(uri)
    return scheme in _OPENERS and scheme != "media"


def is_known(uri: str) -> bool:
    """Whether an address is one that a daemon can listen to, as far as can be told without opening it."""
    return uri != "-" and scheme_of(uri) in {"", "file", *_OPENERS}


def _path(uri: str) -> Path:
    try:
        # Whatever is not UTF-8 stays as it is, as in every other path.
        return Path(unquote(urlsplit(uri).path, errors="surrogateescape"))
    except ValueError as error:
        raise SourceError(f"{uri!r} is no address of a file: {error}; give its path") from error


def _opener(place: str) -> Callable[[str, ChannelSelection], Source]:
    module, _, name = place.partition(":")
    opener: Callable[[str, ChannelSelection], Source] = getattr(importlib.import_module(module), name)
    return opener


class SourceSpec(NamedTuple):
    """A source that can be opened."""

    name: str
    """What people call it before it is open."""
    uri: str
    """Where it is, without any secret."""
    open: Callable[[], Source]
    """Opens it; raises a SourceError if it cannot be listened to."""
    live: bool
    """Whether it goes on without us."""
    reconnects: bool
    """Whether it is opened again when it is lost."""


def once(source: Source) -> SourceSpec:
    """A source that is open already, and over when it ends or fails."""
    return SourceSpec(source.name, source.uri, lambda: source, source.live, reconnects=False)


def again(source: Source, uri: str, selection: ChannelSelection) -> SourceSpec:
    """A live source that is open already, and opened again by its address whenever it is lost."""
    first = [source]
    return SourceSpec(
        source.name, source.uri, lambda: first.pop() if first else from_uri(uri, selection=selection), True, True
    )


def open_source(
    uri: str, speed: Speed = "realtime", pcm: PcmFormat | None = None, selection: ChannelSelection = WHOLE
) -> SourceSpec:
    """A source by its address, opened at once, so that what is wrong with it is known at once.

    Raises:
        SourceError: it cannot be listened to.
    """
    source = from_uri(uri, speed=speed, pcm=pcm, selection=selection)
    return again(source, uri, selection) if reconnects_uri(uri) else once(source)


def later(uri: str, selection: ChannelSelection) -> SourceSpec:
    """A source by its address, opened when it is listened to; a live one again whenever it is lost."""
    shown = redact(uri)
    return SourceSpec(shown, shown, lambda: from_uri(uri, selection=selection), True, reconnects_uri(uri))
