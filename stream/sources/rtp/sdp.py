"""MessageSequencer descriptions (SDP, RFC 8866): the little of them that says where the audio comes and what it is."""

from pathlib import Path
from typing import Final, NamedTuple

from whoplays.models.errors import SourceError
from whoplays.stream.sources.rtp.packet import STATIC, Format, checked

MOST_BYTES: Final = 65_536
ENCODINGS: Final = {"L16": 16, "L24": 24}


class Description(NamedTuple):
    """Where audio comes, and what it is."""

    host: str
    """The group or address that it is sent to; empty if none is named."""
    port: int
    formats: dict[int, Format]
    """By payload type."""


def read_sdp(path: Path) -> Description:
    """What a file describes.

    Raises:
        SourceError: it cannot be read, or describes no audio that can be heard.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SourceError(f"{path} is too long for a session description; give an SDP file")
        return parse_sdp(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"the session description {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SourceError(f"{path} is no session description that can be heard: {error}") from error


def parse_sdp(text: str) -> Description:
    """The first audio of a description that is linear PCM.

    Raises:
        ValueError: there is none, or a line of it makes no sense.
        SourceError: it has a format that audio cannot have.
    """
    session, *media = _sections(text)
    for section in media:
        kind, port, protocol, *types = [*section[0][1].split(), "", "", ""]
        formats = _formats(types, section) if (kind, protocol) == ("audio", "RTP/AVP") else {}
        if formats:
            return Description(_host(section) or _host(session), _port(port), formats)
    raise ValueError("it has no audio as L16 or L24 over RTP/AVP")


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


def _formats(types: list[str], section: list[tuple[str, str]]) -> dict[int, Format]:
    listed = {int(number) for number in types if number.isascii() and number.isdigit()}
    maps = [value.removeprefix("rtpmap:") for name, value in section if name == "a" and value.startswith("rtpmap:")]
    formats = {number: STATIC[number] for number in listed & STATIC.keys()}
    for number, encoding, rate_hz, channels in map(_rtpmap, maps):
        if number in listed:
            formats.pop(number, None)
            if encoding in ENCODINGS:
                formats[number] = checked(Format(rate_hz, channels, ENCODINGS[encoding]))
    return formats


def _rtpmap(value: str) -> tuple[int, str, int, int]:
    """Payload type, encoding, rate in Hz and channels of a line such as `98 L24/48000/2`."""
    number, _, rest = value.partition(" ")
    encoding, rate_hz, *channels = [*rest.strip().split("/"), ""]
    return int(number), encoding.upper(), int(rate_hz or 0), int(channels[0] or 1) if channels else 1


def _port(text: str) -> int:
    port = int(text.partition("/")[0])
    if not 1 <= port <= 65_535:
        raise ValueError(f"its port is {port}; ports are 1 to 65535")
    return port


def _host(section: list[tuple[str, str]]) -> str:
    connections = [value.split() for name, value in section if name == "c"]
    return next((words[2].partition("/")[0] for words in connections if len(words) == 3), "")
