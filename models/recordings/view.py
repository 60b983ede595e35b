"""A part of a file, or of what a pipe brings, as FFmpeg reads it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from whoplays.models.recordings.headers import BEGINNING, BEGINNING_BYTES, Extent, find_audio_chunk, find_extent

_STEP_BYTES: Final = 1 << 16
_SEARCHED_BYTES: Final = 1 << 24
"""How far behind the last audio another recording is looked for: an MP4's index, and pictures, may lie between."""


class ByteSource(Protocol):
    """Bytes that can be read at an offset."""

    @property
    def name(self) -> str:
        """The path, beside which a playlist's files are; empty if there is none."""

    def size(self) -> int | None:
        """How many there are now; None if they are still to come."""

    def read(self, at: int, size: int) -> bytes:
        """Bytes from an offset on, `size` of them or fewer, at least one unless that is the end.

        Raises:
            OSError: they cannot be read.
        """


class FileBytes:
    """The bytes of an open file, which may grow."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self.name: Final = os.fsencode(path.absolute()).decode(errors="ignore")
        self._descriptor: Final = descriptor

    def size(self) -> int:
        """How many there are now."""
        return os.fstat(self._descriptor).st_size

    def read(self, at: int, size: int) -> bytes:
        """Bytes from an offset on; see `ByteSource`."""
        return os.pread(self._descriptor, size, at)


class View:
    """Bytes from an offset on, as a file object, with those of the header replaced that state a wrong length.

    Args:
        source: what it is a view of.
        start: the offset.
    """

    def __init__(self, source: ByteSource, start: int) -> None:
        self.name: Final = source.name
        self.start: Final = start
        self._source: Final = source
        self._at = 0
        self.extent: Final = self._find_extent()

    def read(self, size: int) -> bytes:
        """The next bytes; none at the end."""
        end = self.extent.end
        wanted = size if end is None else min(size, end - self._at)
        data = self._source.read(self.start + self._at, wanted) if wanted > 0 else b""
        begin, self._at = self._at, self._at + len(data)
        for at, replacement in self.extent.replaced.items():
            data = _overlaid(data, at - begin, replacement)
        return data

    def seekable(self) -> bool:
        """Whether what is behind and ahead can be read at any time."""
        return self.size() is not None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to an offset, as a file does."""
        end = self.size() or 0 if self.extent.end is None else self.extent.end
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: end}[whence])
        return self._at

    def size(self) -> int | None:
        """How many bytes there are from its start on; None if they are still to come."""
        size = self._source.size()
        return None if size is None else size - self.start

    def tell(self) -> int:
        """The offset of what is read next."""
        return self._at

    def read_at(self, at: int, size: int) -> bytes:
        """All that was asked for, as it is, or what there is up to the end."""
        data = b""
        while len(data) < size and (more := self._source.read(self.start + at + len(data), size - len(data))):
            data += more
        return data

    def find_next(self, at: int) -> int | None:
        """Where another recording begins behind an offset, counted as `start` is; None if there is none."""
        overlap, searched = b"", 0
        for data in self._following(at):
            found = BEGINNING.search(overlap + data)
            if found:
                return self.start + at + searched - len(overlap) + found.start()
            overlap, searched = (overlap + data)[1 - BEGINNING_BYTES :], searched + len(data)
        return None

    def _following(self, at: int) -> Iterator[bytes]:
        last = at + _SEARCHED_BYTES
        while at < last and (data := self._source.read(self.start + at, _STEP_BYTES)):
            yield data
            at += len(data)

    def _find_extent(self) -> Extent:
        size = self.size()
        if size is not None:
            return find_extent(self.read_at, size)
        chunk = find_audio_chunk(self.read_at)
        return Extent(None, None, chunk.unbounded if chunk and chunk.stated is None else {})


def _overlaid(data: bytes, at: int, replacement: bytes) -> bytes:
    """Data with other bytes at an offset, as far as that lies in it."""
    first, last = max(0, at), min(len(data), at + len(replacement))
    return data[:first] + replacement[first - at : last - at] + data[last:] if first < last else data
