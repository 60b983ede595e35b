"""Every kind of source. A new one is a folder of its own and an entry in `KINDS`."""

import importlib
from typing import Any, Final, NamedTuple, get_args

from whoplays.models.errors import OptionError, SourceError
from whoplays.stream.audio.pcm import PcmFormat
from whoplays.stream.audio.resample import WHOLE, ChannelSelection
from whoplays.stream.common.uri import redact
from whoplays.stream.sources.base import BoundAddress, Source, SourceSpec, Speed
from whoplays.stream.sources.stdin import PcmSource

STDIN: Final = "-"


class SourceKind(NamedTuple):
    """A kind of source, as it is known before one is opened."""

    schemes: tuple[str, ...]
    """What its addresses begin with, such as `rtp`."""
    opener: str
    """`package.module:function`, imported when it is used, called with the address and a `ChannelSelection`, and for
    recordings with a `Speed`; it returns a `Source`."""
    examples: tuple[str, ...]
    """How its addresses begin, as messages show them: one for each scheme."""
    reconnects: bool = True
    """Whether it is opened again when it is lost."""
    check: str = ""
    """`package.module:function`, called like the opener. It raises a `SourceError` or an `OptionError` if it is known
    that the source cannot be opened, and returns the `BoundAddress` that opening it would bind, or None; it binds and
    opens nothing. Empty if opening the source does no more than that either."""
    look_up: str = ""
    """`package.module:function`, called like the opener. It raises a `SourceError` if the source is not there now, but
    may come. Empty if only opening the source tells."""


FILE: Final = SourceKind(("file",), "whoplays.stream.sources.file:open_file", ("file://",), reconnects=False)
MEDIA: Final = SourceKind(("media",), "whoplays.stream.sources.file:open_media", ("media:",), reconnects=False)
KINDS: Final = (
    SourceKind(
        ("device",),
        "whoplays.stream.sources.device.source:open_device",
        ("device:",),
        check="whoplays.stream.sources.device.names:check_address",
        look_up="whoplays.stream.sources.device.probe:look_up",
    ),
    SourceKind(
        ("rtp",),
        "whoplays.stream.sources.rtp.announced:open_address",
        ("rtp://",),
        check="whoplays.stream.sources.rtp.announced:check_address",
    ),
    SourceKind(
        ("zmq",),
        "whoplays.stream.sources.remote.source:open_remote",
        ("zmq://",),
        check="whoplays.stream.sources.remote.source:check_address",
    ),
    SourceKind(
        ("http", "https", "rtsp", "rtsps", "hls"),
        "whoplays.stream.sources.ffmpeg.source:open_network_media",
        ("http://", "https://", "rtsp://", "rtsps://", "hls://"),
    ),
    SourceKind(
        ("pulse",),
        "whoplays.stream.sources.pulse:open_pulse",
        ("pulse:",),
        check="whoplays.stream.sources.pulse:check_address",
        look_up="whoplays.stream.sources.pulse:look_up",
    ),
    MEDIA,
    FILE,
)
_BY_SCHEME: Final = {scheme: kind for kind in KINDS for scheme in kind.schemes}
_EXAMPLES: Final = ", ".join(example for kind in KINDS for example in kind.examples)
CHOICES: Final = f"an audio file, - for standard input, or an address: {_EXAMPLES}"


def kind_of(uri: str) -> SourceKind:
    """The kind of source that an address, or a file's path, belongs to.

    Raises:
        SourceError: it is an address of no known kind, or `-`, which is none.
    """
    scheme, separator, rest = uri.partition(":")
    kind = _BY_SCHEME.get(scheme.lower()) if separator else None
    if kind is None and (uri == STDIN or (separator and rest.startswith("//"))):
        raise SourceError(f"source must be a file or an address that begins with {_EXAMPLES}; got {redact(uri)!r}")
    return kind or FILE


def open_uri(
    uri: str, *, speed: Speed = "realtime", pcm: PcmFormat | None = None, selection: ChannelSelection = WHOLE
) -> Source:
    """Open a source.

    Args:
        uri: a file's path, `file://` and a path, `-` for standard input, or an address of a live source.
        speed: how fast a file is played.
        pcm: the format of raw PCM, if it is that.
        selection: which channels are taken, and how loud.

    Raises:
        SourceError: it does not exist, or cannot be opened.
        OptionError: the speed is neither `realtime` nor `max`, or a format is given and the source is no raw PCM.
    """
    if speed not in get_args(Speed):
        raise OptionError(f"speed must be realtime or max, got {speed!r}")
    if uri == STDIN:
        return PcmSource(pcm or PcmFormat(), selection=selection)
    if pcm is not None:
        raise OptionError(f"format and rate must be left out unless the source is -, got {redact(uri)}")
    kind = kind_of(uri)
    opener = _load(kind.opener)
    source: Source = opener(uri, selection, speed) if kind in {FILE, MEDIA} else opener(uri, selection)
    return source


def open_now(
    uri: str, speed: Speed = "realtime", pcm: PcmFormat | None = None, selection: ChannelSelection = WHOLE
) -> SourceSpec:
    """A source that is open, so that what is wrong with it is known at once; see `open_uri`."""
    source = open_uri(uri, speed=speed, pcm=pcm, selection=selection)
    if uri == STDIN or not kind_of(uri).reconnects:
        return SourceSpec.opened(source)
    first = [source]
    return SourceSpec(
        source.name,
        source.uri,
        lambda: first.pop() if first else open_uri(uri, selection=selection),
        source.live,
        reconnects=True,
    )


def open_later(uri: str, selection: ChannelSelection) -> SourceSpec:
    """A source that is opened when it is needed; what opens it is imported now, while files can be opened.

    Raises:
        SourceError: see `kind_of`.
    """
    shown = redact(uri)
    _load(kind_of(uri).opener)
    return SourceSpec(shown, shown, lambda: open_uri(uri, selection=selection), True, kind_of(uri).reconnects)


def with_format(uri: str, rate_hz: int | None, channels: int) -> str:
    """An address of a source of a given format, which it says only if it does not anyway.

    >>> with_format("rtp://239.0.0.1:5004?bits=24", 48_000, 8)
    'rtp://239.0.0.1:5004?bits=24&rate=48000&channels=8'

    Raises:
        OptionError: the rate of such a source cannot be chosen, or the address chooses channels.
    """
    scheme, query = uri.partition(":")[0].lower(), uri.partition("?")[2]
    if scheme not in {"rtp", "device", "pulse"}:
        if rate_hz:
            raise OptionError(
                f"rate_hz must be left out unless the address is device:, pulse: or rtp://, got {rate_hz}"
            )
        return uri
    if scheme == "device" and "channels=" in query:
        raise OptionError("channels= must be left out of the address; streams choose theirs")
    described = "sdp=" in query or "sap=" in query
    wanted = {"rate": rate_hz, "channels": channels if scheme == "rtp" and not described else None}
    options = [f"{name}={value}" for name, value in wanted.items() if value and f"{name}=" not in query]
    return "&".join([uri if query or not options else f"{uri}?{options.pop(0)}", *options])


def check_uri(uri: str, selection: ChannelSelection) -> BoundAddress | None:
    """Check a source as far as can be known without binding an address or opening what is live.

    Returns:
        The address that opening it would bind.

    Raises:
        SourceError: it does not exist, or cannot be opened.
        OptionError: a channel is out of range.
    """
    check = kind_of(uri).check
    if check:
        address: BoundAddress | None = _load(check)(uri, selection)
        return address
    open_uri(uri, selection=selection)
    return None


def look_up(uri: str, selection: ChannelSelection) -> None:
    """Look whether a live source is there now, as far as can be known without opening it.

    Raises:
        SourceError: it is not.
    """
    found = kind_of(uri).look_up
    if found:
        _load(found)(uri, selection)


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
