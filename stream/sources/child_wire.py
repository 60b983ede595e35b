"""What a child process that hears says to its parent through a pipe: blocks, then one farewell.

Each frame is a header of 16 bytes, then its content: the samples of a block, `[2, n]` float32 as they lie in memory
(none for a block that was lost: it is all zero), or a farewell's text in UTF-8.
"""

import struct
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, get_args

import numpy as np

from whoplays.stream.audio.block import Audio, Block, Cause

Fate = Literal["ended", "failed", "session_over"]
"""How hearing came to its end: on purpose, by a failure, or because the sender began anew."""


class Farewell(NamedTuple):
    """The last that a child says."""

    fate: Fate
    text: str = ""
    """What went wrong, in one line."""


_HEADER: Final = struct.Struct("<BBxxIq")
"""What it is, why it was lost, samples of each channel or bytes of text, when it was heard."""
_BLOCK: Final = 0
_FATES: Final[tuple[Fate, ...]] = get_args(Fate)
_CAUSES: Final[tuple[Cause | None, ...]] = (None, *get_args(Cause))
_SAMPLE_BYTES: Final = 8


def pack(frame: Block | Farewell) -> bytes:
    """A frame as it goes through the pipe."""
    if isinstance(frame, Farewell):
        text = frame.text.encode()
        return _HEADER.pack(1 + _FATES.index(frame.fate), 0, len(text), 0) + text
    header = _HEADER.pack(_BLOCK, _CAUSES.index(frame.lost), frame.audio.shape[1], frame.heard_ns)
    return header if frame.lost else header + np.ascontiguousarray(frame.audio, np.float32).tobytes()


class Unpacker:
    """Makes frames of what comes through the pipe, in pieces of any size."""

    def __init__(self) -> None:
        self._data: Final = bytearray()

    def feed(self, data: bytes) -> Iterator[Block | Farewell]:
        """The frames that `data` completes."""
        self._data.extend(data)
        while len(self._data) >= _HEADER.size:
            what, why, count, heard_ns = _HEADER.unpack_from(self._data)
            end = _HEADER.size + _content_bytes(what, why, count)
            if len(self._data) < end:
                return
            content = bytes(self._data[_HEADER.size : end])
            del self._data[:end]
            if what == _BLOCK:
                yield Block(_audio(content, count), heard_ns, _CAUSES[why])
            else:
                yield Farewell(_FATES[what - 1], content.decode())


def _content_bytes(what: int, why: int, count: int) -> int:
    if what != _BLOCK:
        return count
    return 0 if why else count * _SAMPLE_BYTES


def _audio(content: bytes, samples: int) -> Audio:
    if not content:
        return np.zeros((2, samples), np.float32)
    return np.frombuffer(content, np.float32).reshape(2, samples)
