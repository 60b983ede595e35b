"""How long a recording says it is, where it says so; an estimate is no statement."""

from typing import Final

from av.audio.stream import AudioStream
from av.container import InputContainer

from whoplays.models.recordings.headers import Read
from whoplays.models.recordings.view import View

_BY_STREAM: Final = frozenset({"flac", "mov,mp4,m4a,3gp,3g2,mj2", "wv", "tta", "ape"})
"""Formats that state a duration; of others FFmpeg's is an estimate by the bit rate, or made of what is there."""
_MATROSKA: Final = "matroska,webm"
_ASF_PROPERTIES: Final = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_SEARCHED_BYTES: Final = 1 << 16
_XING_FRAMES: Final = 1


def stated_duration_s(view: View, container: InputContainer, stream: AudioStream) -> float | None:
    """The duration that the header states; None if it states none."""
    name = container.format.name
    if name in _BY_STREAM or (name == "ogg" and _is_one_ogg(view)):
        return stream.duration * float(stream.time_base) if stream.duration and stream.time_base else None
    if name == _MATROSKA:
        alone = len(container.streams) == 1 and container.duration
        return container.duration / 1_000_000 if alone and container.duration else None
    if name == "mp3":
        return _mp3_s(view.read_at, stream)
    return _asf_s(view.read_at) if name == "asf" else None


def _mp3_s(read: Read, stream: AudioStream) -> float | None:
    """By the number of frames in the frame of Xing or of Fraunhofer, which precedes those that are heard."""
    head = read(0, 10)
    at = 0
    if head.startswith(b"ID3"):
        high, *low = head[6:10]
        for part in low:
            high = high << 7 | part
        at = 10 + high
    frame = read(at, 1024)
    frames = _xing_frames(frame)
    rate_hz, length = stream.rate, stream.codec_context.frame_size or 1152
    return frames * length / rate_hz if frames and rate_hz else None


def _xing_frames(frame: bytes) -> int:
    for name in (b"Xing", b"Info"):
        at = frame.find(name)
        if at >= 0 and int.from_bytes(frame[at + 4 : at + 8], "big") & _XING_FRAMES:
            return int.from_bytes(frame[at + 8 : at + 12], "big")
    at = frame.find(b"VBRI")
    return int.from_bytes(frame[at + 14 : at + 18], "big") if at >= 0 else 0


def _asf_s(read: Read) -> float | None:
    head = read(0, _SEARCHED_BYTES)
    at = head.find(_ASF_PROPERTIES)
    if at < 0 or len(head) < at + 92 or head[at + 88] & 1:
        return None
    play, preroll = (int.from_bytes(head[at + offset : at + offset + 8], "little") for offset in (64, 80))
    return play / 1e7 - preroll / 1e3 or None


_OGG_PAGE_BYTES: Final = 65_307
_OGG_HEADER_BYTES: Final = 27


def ends_within_a_page(view: View) -> bool:
    """Whether the last page of an Ogg file is not whole (RFC 3533)."""
    page = _last_page(view)
    table = page[_OGG_HEADER_BYTES:][: page[_OGG_HEADER_BYTES - 1]] if len(page) >= _OGG_HEADER_BYTES else b""
    return page != b"" and (not table or len(page) < _OGG_HEADER_BYTES + len(table) + sum(table))


def _is_one_ogg(view: View) -> bool:
    """Whether the last page has the serial number of the first: then its position states the whole length."""
    page = _last_page(view)
    return len(page) >= _OGG_HEADER_BYTES and page[14:18] == view.read_at(14, 4)


def _last_page(view: View) -> bytes:
    """An Ogg file from its last page on; empty where its end cannot be known."""
    size = view.total()
    if size is None or view.read_at(0, 4) != b"OggS":
        return b""
    tail = view.read_at(max(0, size - _OGG_PAGE_BYTES), _OGG_PAGE_BYTES)
    return tail[max(0, tail.rfind(b"OggS\x00")) :]
