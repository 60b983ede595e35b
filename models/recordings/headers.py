"""The size that a file's header states of its audio, and whether that can be believed.

WAV, RF64, W64, AIFF, CAF and AU hold their samples in one chunk, the size of which is stated before it. Whoever writes
into a pipe, or is ended while writing, leaves a size that is none; the 32 bits of a WAV overflow at 4 GiB.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

Read = Callable[[int, int], bytes]
"""Reads from an offset so many bytes, or what there is."""

BEGINNING: Final = re.compile(
    rb"(?:RIFF|RF64|BW64)....WAVE|FORM....AIF[FC]|riff\x2e\x91\xcf\x11|caff\x00\x01|\.snd\x00\x00..|fLaC\x00\x00\x00\x22"
    rb"|OggS\x00\x02|\x00\x00..ftyp|\x1aE\xdf\xa3(?:[\x80-\xff]|\x01.{7})B\x86|\x30\x26\xb2\x75\x8e\x66\xcf\x11"
    rb"|wvpk...\x00.\x04|TTA1\x01\x00",
    re.DOTALL,
)
"""How recordings begin: WAV, AIFF, W64, CAF, AU, FLAC, Ogg, MP4, Matroska, WMA, WavPack, TTA."""
BEGINNING_BYTES: Final = 16
_KEYS: Final = (
    b"WAVE", b"AIFF", b"AIFC", b"riff\x2e\x91", b"caff\x00", b".snd\x00", b"fLaC\x00", b"OggS\x00\x02", b"ftyp",
    b"\x1aE\xdf\xa3", b"\x30\x26\xb2\x75", b"wvpk", b"TTA1\x01",
)  # fmt: skip
"""What each of them holds; plain bytes are found many times as fast."""


_UNFINISHED: Final = (range(1), range(0x7FFF_F000, 0x8000_0001), range(0xFFFF_F000, 0x1_0000_0000))
"""Sizes that writers put down who do not know it yet: GStreamer, sox, arecord, FFmpeg."""
_UNBOUNDED: Final = 1 << 62
_WRAP: Final = 1 << 32
_LARGEST_CHUNK: Final = 1 << 24
_LEAST_CHUNK: Final = 8
_MOST_CHUNKS: Final = 1000


def find_beginning(data: bytes) -> int | None:
    """Where a recording begins within some bytes; None if none does."""
    found = BEGINNING.search(data) if any(key in data for key in _KEYS) else None
    return found.start() if found else None


class _Layout(NamedTuple):
    """How chunks follow one another."""

    beginning: re.Pattern[bytes]
    first: int
    """Where the first chunk begins."""
    kind_bytes: int
    size_bytes: int
    order: Literal["little", "big"]
    counted: int
    """How many bytes of its own header a chunk's size counts."""
    aligned: int
    audio: bytes
    """The kind of the chunk of samples."""
    before: int
    """How many bytes of that chunk come before its samples."""
    unbounded: int
    """The size that FFmpeg takes for one that is not known, or that no file reaches."""


_WAVE: Final = _Layout(
    re.compile(rb"(RIFF|RF64|BW64)....WAVE", re.DOTALL), 12, 4, 4, "little", 0, 2, b"data", 0, 2**32 - 1
)
_AIFF: Final = _Layout(re.compile(rb"FORM....AIF[FC]", re.DOTALL), 12, 4, 4, "big", 0, 2, b"SSND", 8, 0xFFFF_0000)
_W64: Final = _Layout(
    re.compile(rb"riff\x2e\x91\xcf\x11"), 40, 16, 8, "little", 24, 8,
    bytes.fromhex("64617461f3acd3118cd100c04f8edb8a"), 0, _UNBOUNDED,
)  # fmt: skip
_CAF: Final = _Layout(re.compile(rb"caff\x00\x01"), 8, 4, 8, "big", 0, 1, b"data", 4, 2**64 - 1)
_LAYOUTS: Final = (_WAVE, _AIFF, _W64, _CAF)
_AU: Final = b".snd"


class AudioChunk(NamedTuple):
    """The chunk that holds a file's samples."""

    begin: int
    """Where its samples begin."""
    stated: int | None
    """How many bytes of them the header states; None if whoever wrote it did not know."""
    unbounded: dict[int, bytes]
    """What the header has to hold instead, by its offset, so that it states no end."""
    layout: _Layout | None
    """How other chunks would follow; None if none can."""


class Extent(NamedTuple):
    """Where a file's samples really are."""

    end: int | None = None
    """Where they end; None if where the header says, or where the file ends."""
    replaced: Mapping[int, bytes] = MappingProxyType({})
    """What the header has to hold instead, by its offset, to be read to that end."""
    chunk: AudioChunk | None = None
    """What the header states."""
    there: int | None = None
    """How many bytes of samples there are, if that is known before they are read."""
    is_stated: bool = False
    """Whether the end is where the header says, and more may follow: see `continued`."""

    def stated_s(self, heard_s: float, read_to: int) -> float | None:
        """The duration that the header states, by that of what was read up to an offset; None if it states none."""
        if self.chunk is None or self.chunk.stated is None:
            return None
        there = read_to - self.chunk.begin if self.there is None else self.there
        return self.chunk.stated * heard_s / there if there > 0 else None


def find_extent(read: Read, size: int) -> Extent:
    """See how far the samples of a file of `size` bytes go, whatever its header states."""
    chunk = find_audio_chunk(read)
    if chunk is None:
        return Extent()
    stated_end = chunk.begin + (chunk.stated or 0)
    if chunk.stated and (stated_end == size or _continues(read, chunk, stated_end)):
        # It may be written still, or hold another chunk of samples.
        return Extent(stated_end, chunk.unbounded, chunk, is_stated=True)
    if stated_end >= size or _ends_at(read, chunk, stated_end, size):
        return Extent(None if chunk.stated else stated_end, chunk=chunk, there=min(stated_end, size) - chunk.begin)
    wrapped = range(stated_end + _WRAP, size, _WRAP)
    end = next((at for at in wrapped if _ends_at(read, chunk, at, size)), None)
    return Extent(end, chunk.unbounded, chunk, (end or size) - chunk.begin)


def find_extent_ahead(read: Read) -> Extent:
    """What the header of a file states that is still to come; whether the samples end there is seen there."""
    chunk = find_audio_chunk(read)
    if chunk is None:
        return Extent()
    end = chunk.begin + chunk.stated if chunk.stated else None
    return Extent(end, chunk.unbounded, chunk, is_stated=end is not None)


def continued(read: Read, extent: Extent) -> Extent:
    """What is known of the samples once they were read up to their stated end.

    They go on if no other chunk follows, or another one of samples of the same format; what is between them is
    silence.
    """
    chunk, end = extent.chunk, extent.end
    if chunk is None or end is None:
        return extent
    if not may_be_chunk(read(end, BEGINNING_BYTES)):
        return extent._replace(end=None, is_stated=False)
    found = _continues(read, chunk, end)
    if found is None:
        return extent._replace(is_stated=False)
    begin, stated = found
    whole = chunk._replace(stated=(chunk.stated or 0) + begin - end + stated)
    return extent._replace(end=begin + stated, replaced={**extent.replaced, end: bytes(begin - end)}, chunk=whole)


def _continues(read: Read, chunk: AudioChunk, at: int) -> tuple[int, int] | None:
    """Where another chunk of samples of the same format begins behind a chunk's end, and its size."""
    following = _following_samples(read, chunk, at)
    return following[:2] if following and following[2] else None


def changes_format(read: Read, chunk: AudioChunk, at: int) -> bool:
    """Whether samples of another format follow behind the chunk's end."""
    following = _following_samples(read, chunk, at)
    return following is not None and not following[2]


def _following_samples(read: Read, chunk: AudioChunk, at: int) -> tuple[int, int, bool] | None:
    """Begin and size of the next chunk of samples behind an offset, and whether they have the same format."""
    if chunk.layout is not _WAVE or BEGINNING.match(read(at, BEGINNING_BYTES)):
        return None
    form = next((read(begin, size) for kind, begin, size in _chunks(read, _WAVE.first, _WAVE) if kind == b"fmt "), b"")
    same = True
    for kind, begin, size in _chunks(read, at + at % _WAVE.aligned, _WAVE):
        if not re.fullmatch(rb"[ -~]{4}", kind):
            return None
        if kind == b"fmt ":
            same = size < _LARGEST_CHUNK and read(begin, size) == form
        if kind == _WAVE.audio:
            return (begin, size, same) if size and begin - at < _LARGEST_CHUNK else None
    return None


def may_be_chunk(following: bytes) -> bool:
    """Whether what follows the samples begins as a chunk or another recording does, and not as samples do."""
    little, big = (int.from_bytes(following[4:8], "big" if big else "little") for big in (False, True))
    is_chunk = re.match(rb"[ -~]{4}", following) and min(little, big) < _LARGEST_CHUNK
    return len(following) < _LEAST_CHUNK or bool(is_chunk) or BEGINNING.match(following) is not None


def find_audio_chunk(read: Read) -> AudioChunk | None:
    """The chunk of samples of WAV, RF64, W64, AIFF, CAF and AU; None in other files, and where there is none."""
    head = read(0, BEGINNING_BYTES)
    if head.startswith(_AU):
        return _find_au(read)
    layout = next((layout for layout in _LAYOUTS if layout.beginning.match(head)), None)
    if layout is None:
        return None
    larger: int | None = None
    for kind, begin, size in _chunks(read, layout.first, layout):
        if layout is _WAVE and kind == b"ds64":
            larger = int.from_bytes(read(begin + 8, 8), "little")
        if kind == layout.audio:
            stated = larger if larger is not None and size == layout.unbounded else size
            return _audio_chunk(layout, begin, stated, is_rf64=larger is not None)
    return None


def _audio_chunk(layout: _Layout, begin: int, size: int, *, is_rf64: bool) -> AudioChunk:
    unbounded = {begin - layout.size_bytes: layout.unbounded.to_bytes(layout.size_bytes, layout.order)}
    if layout is _AIFF:
        unbounded[4] = layout.unbounded.to_bytes(4, "big")
    if is_rf64:
        # FFmpeg then believes the chunk's own size.
        unbounded[0] = b"RIFF"
    return AudioChunk(begin + layout.before, _known(size, layout.before), unbounded, layout)


def _find_au(read: Read) -> AudioChunk | None:
    header = read(0, 12)
    begin = int.from_bytes(header[4:8], "big")
    if len(header) < 12 or begin < 24:
        return None
    return AudioChunk(begin, _known(int.from_bytes(header[8:12], "big")), {8: b"\xff\xff\xff\xff"}, None)


def _known(size: int, before: int = 0) -> int | None:
    unfinished = size >= _UNBOUNDED or any(size in sizes or size - before in sizes for sizes in _UNFINISHED)
    return None if unfinished or size < before else size - before


def _chunks(read: Read, at: int, layout: _Layout) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin of what is in it, and stated size of each chunk from an offset on."""
    header_bytes = layout.kind_bytes + layout.size_bytes
    for _ in range(_MOST_CHUNKS):
        header = read(at, header_bytes)
        if len(header) < header_bytes:
            return
        size = int.from_bytes(header[layout.kind_bytes :], layout.order) - layout.counted
        at += header_bytes
        yield header[: layout.kind_bytes], at, max(0, size)
        at = -(-(at + max(0, size)) // layout.aligned) * layout.aligned


def _ends_at(read: Read, chunk: AudioChunk, at: int, size: int) -> bool:
    """Whether samples end here: other chunks follow up to the end of the file, or another recording begins."""
    if BEGINNING.match(read(at, BEGINNING_BYTES)):
        return True
    if chunk.layout is None:
        return False
    at = -(-at // chunk.layout.aligned) * chunk.layout.aligned
    if size <= at:
        return True
    for kind, begin, length in _chunks(read, at, chunk.layout):
        if not re.fullmatch(rb"[ -~]{4}", kind[:4]):
            return bool(BEGINNING.match(read(begin - len(kind) - chunk.layout.size_bytes, BEGINNING_BYTES)))
        if begin + length >= size - 1:
            return begin + length <= size
    return False
