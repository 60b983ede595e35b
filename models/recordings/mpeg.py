"""Whether bytes are of a stream of MPEG audio (MP3, MP2, or AAC in ADTS): such streams have no header of their own.

Sources: ISO/IEC 11172-3 and 13818-3 (layers I to III), 13818-7 (ADTS).
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

SURVEY_BYTES: Final = 4096
"""In so many bytes there are three frames and the rest of one before them, at the usual bit rates."""
_FRAMES: Final = 3
"""So many headers, each where the one before says, do not agree by chance."""
_KBITS: Final = (
    # MPEG 1: layers III, II, I.
    (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    # MPEG 2 and 2.5.
    (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
)
_RATES_HZ: Final = (44_100, 48_000, 32_000)


class _Header(NamedTuple):
    kind: tuple[int, ...]
    """What is the same in all frames of a stream: version, layer, sample rate."""
    length: int
    """Of the frame, in bytes."""


def is_mpeg_audio(data: bytes) -> bool:
    """Whether some bytes, cut out of a stream anywhere, hold three frames one after another."""
    return any(_agree(data, at) for at in _syncs(data))


def _syncs(data: bytes) -> Iterator[int]:
    at = data.find(b"\xff")
    while 0 <= at < len(data) - 6:
        if data[at + 1] & 0xE0 == 0xE0:
            yield at
        at = data.find(b"\xff", at + 1)


def _agree(data: bytes, at: int) -> bool:
    first = header = _header(data, at)
    for _ in range(_FRAMES - 1):
        if header is None or first is None or header.kind != first.kind:
            return False
        at += header.length
        header = _header(data, at)
    return header is not None and first is not None and header.kind == first.kind


def _header(data: bytes, at: int) -> _Header | None:
    head = data[at : at + 7]
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    return _adts(head) if head[1] & 0xF6 == 0xF0 else _layered(head)


def _adts(head: bytes) -> _Header | None:
    rate, length = head[2] >> 2 & 0xF, (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return _Header((head[1], head[2] & 0xFD, head[3] >> 6), length) if rate < 13 and length > 7 else None


def _layered(head: bytes) -> _Header | None:
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bits, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 0 or bits in {0, 15} or rate == 3:
        return None
    kbits = _KBITS[layer - 1 + (0 if version == 3 else 3)][bits - 1]
    rate_hz = _RATES_HZ[rate] >> {3: 0, 2: 1, 0: 2}[version]
    padded = head[2] >> 1 & 1
    if layer == 3:
        return _Header((version, layer, rate), (12_000 * kbits // rate_hz + padded) * 4)
    slots = 72_000 if layer == 1 and version != 3 else 144_000
    return _Header((version, layer, rate), slots * kbits // rate_hz + padded)
