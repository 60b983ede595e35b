"""Session descriptions (SDP, RFC 8866): the little of them that says where the audio comes and what it is."""

from pathlib import Path
from typing import Final, NamedTuple

from whoplays.models.errors import SourceError, require_between
from whoplays.stream.common.paths import check_regular
from whoplays.stream.sources.rtp.packet import STATIC_FORMATS, RtpFormat, require_supported

MAX_FILE_BYTES: Final = 65_536
ENCODINGS: Final = {"L16": 16, "L24": 24}


class SessionDescription(NamedTuple):
    """Where audio comes, and what it is."""

    host: str
    """The group or address that it is sent to; empty if none is named."""
    port: int
    formats: dict[int, RtpFormat]
    """By payload type."""


def read_sdp(path: Path) -> SessionDescription:
    """What a file describes.

    Raises:
        SourceError: it cannot be read, or describes no audio that can be received.
    """
    try:
        check_regular(path)
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ValueError(f"size must be at most {MAX_FILE_BYTES} bytes, got {size}")
        return parse_sdp(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SourceError(f"the session description {path} cannot be read: {error.strerror}") from error
    except (ValueError, SourceError) as error:
        raise SourceError(f"{path} is not a usable session description: {error}") from error


def parse_sdp(text: str) -> SessionDescription:
    """The first audio of a description that is linear PCM.

    Raises:
        ValueError: there is none, or a number in it cannot be read.
        SourceError: its format or port is out of range.
    """
    session, *media = _sections(text)
    for section in media:
        kind, port, protocol, *types = [*section[0][1].split(), "", "", ""]
        formats = _formats(types, section) if (kind, protocol) == ("audio", "RTP/AVP") else {}
        if formats:
            return SessionDescription(_host(section) or _host(session), _port(port), formats)
    raise ValueError("L16 or L24 audio over RTP/AVP not found")


def _sections(text: str) -> list[list[tuple[str, str]]]:
    """The lines of the session, then those of each medium, as name and value."""
    sections: list[list[tuple[str, str]]] = [[]]
    for line in text.splitlines():
        name, separator, value = line.strip().partition("=")
        if not separator:
            continue
        if name == "m":
            sections.append([])
        sections[-1].append((name, value))
    return sections


def _formats(types: list[str], section: list[tuple[str, str]]) -> dict[int, RtpFormat]:
    listed = {int(number) for number in types if number.isascii() and number.isdigit()}
    maps = [value.removeprefix("rtpmap:") for name, value in section if name == "a" and value.startswith("rtpmap:")]
    formats = {number: STATIC_FORMATS[number] for number in listed & STATIC_FORMATS.keys()}
    for number, encoding, rate_hz, channels in map(_rtpmap, maps):
        if number in listed:
            formats.pop(number, None)
            if encoding in ENCODINGS:
                formats[number] = require_supported(RtpFormat(rate_hz, channels, ENCODINGS[encoding]))
    return formats


def _rtpmap(value: str) -> tuple[int, str, int, int]:
    """Payload type, encoding, rate in Hz and channels of a line such as `98 L24/48000/2`."""
    number, _, rest = value.partition(" ")
    encoding, rate_hz, *channels = [*rest.strip().split("/"), ""]
    return int(number), encoding.upper(), int(rate_hz or 0), int(channels[0] or 1) if channels else 1


def _port(text: str) -> int:
    port = int(text.partition("/")[0])
    require_between("port", port, 1, 65_535, error=SourceError)
    return port


def _host(section: list[tuple[str, str]]) -> str:
    connections = [value.split() for name, value in section if name == "c"]
    return next((words[2].partition("/")[0] for words in connections if len(words) == 3), "")
