"""A part of a file, or of what a pipe brings, as FFmpeg reads it."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from whoplays.models.recordings.headers import (
    BEGINNING,
    BEGINNING_BYTES,
    Extent,
    changes_format,
    continued,
    find_beginning,
    find_extent,
    find_extent_ahead,
)

_KEPT_BYTES: Final = 1 << 23
"""More than FFmpeg reads ahead to find out what a container holds."""
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

    def total(self) -> int | None:
        """How many there are in all; None if their end was not read yet."""

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

    def total(self) -> int:
        """How many there are now."""
        return self.size()

    def read(self, at: int, size: int) -> bytes:
        """Bytes from an offset on; see `ByteSource`."""
        return os.pread(self._descriptor, size, at)


class PipeBytes:
    """The bytes that a pipe brings, of which the last 8 MiB can be read again.

    Args:
        more: brings the next ones, waiting for them; none at the end.
    """

    def __init__(self, more: Callable[[], bytes]) -> None:
        self.name: Final = ""
        self._more: Final = more
        self._kept = bytearray()
        self._begin = 0
        self._ended = False

    @property
    def begin(self) -> int:
        """The offset of the first one that is kept."""
        return self._begin

    def size(self) -> None:
        """They are still to come."""

    def total(self) -> int | None:
        """How many there were, once the end was read."""
        return self._begin + len(self._kept) if self._ended else None

    def read(self, at: int, size: int) -> bytes:
        """Bytes from an offset on; see `ByteSource`."""
        if at < self._begin:
            raise OSError(errno.ESPIPE, "a pipe cannot go back")
        while at >= self._begin + len(self._kept):
            data = self._more()
            if not data:
                self._ended = True
                return b""
            self._kept += data
            dropped = max(0, len(self._kept) - _KEPT_BYTES)
            del self._kept[:dropped]
            self._begin += dropped
        return bytes(self._kept[at - self._begin : at - self._begin + size])


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
        self.extent = self._find_extent()
        head = self.read_at(0, BEGINNING_BYTES)
        # What is no container is frame after frame, and FFmpeg takes whatever follows for damaged ones.
        self._is_frames: Final = head.startswith(b"fLaC") or not BEGINNING.match(head)
        self._last, self._last_end = b"", 0

    def read(self, size: int) -> bytes:
        """The next bytes; none at the end."""
        end = self._end()
        wanted = size if end is None else min(size, end - self._at)
        data = self._source.read(self.start + self._at, wanted) if wanted > 0 else b""
        begin, self._at = self._at, self._at + len(data)
        if self._is_frames:
            data = self._up_to_next(begin, data)
        for at, replacement in self.extent.replaced.items():
            data = _overlaid(data, at - begin, replacement)
        return data

    def _up_to_next(self, begin: int, data: bytes) -> bytes:
        """The bytes up to the beginning of another recording, where the extent then ends."""
        before = self._last if self._last_end == begin else b""
        searched = before + data
        # The first byte of all is the beginning of this one.
        found = find_beginning(searched[not begin :])
        if found is not None:
            end = begin - len(before) + found + (not begin)
            self.extent = self.extent._replace(end=end)
            data = data[: max(0, end - begin)]
        self._last, self._last_end = searched[1 - BEGINNING_BYTES :], begin + len(data)
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

    def total(self) -> int | None:
        """The same, also of a pipe once its end was read."""
        total = self._source.total()
        return None if total is None else total - self.start

    def tell(self) -> int:
        """The offset of what is read next."""
        return self._at

    def read_at(self, at: int, size: int) -> bytes:
        """All that was asked for, as it is, or what there is up to the end."""
        data = b""
        while len(data) < size and (more := self._source.read(self.start + at + len(data), size - len(data))):
            data += more
        return data

    def changes_format(self) -> bool:
        """Whether samples of another format follow, which are not part of this."""
        chunk, end = self.extent.chunk, self.extent.end
        if chunk is None or chunk.stated is None:
            return False
        return changes_format(self.read_at, chunk, chunk.begin + chunk.stated if end is None else end)

    def find_next(self, at: int) -> int | None:
        """Where another recording begins behind an offset, counted as `start` is; None if there is none."""
        overlap, searched = b"", 0
        for data in self._following(at):
            found = find_beginning(overlap + data)
            if found is not None:
                return self.start + at + searched - len(overlap) + found
            overlap, searched = (overlap + data)[1 - BEGINNING_BYTES :], searched + len(data)
        return None

    def _following(self, at: int) -> Iterator[bytes]:
        last = at + _SEARCHED_BYTES
        while at < last and (data := self._source.read(self.start + at, _STEP_BYTES)):
            yield data
            at += len(data)

    def _find_extent(self) -> Extent:
        size = self.size()
        return find_extent_ahead(self.read_at) if size is None else find_extent(self.read_at, size)

    def _end(self) -> int | None:
        """Where samples end; where that is only stated, it is seen when they have been read up to there."""
        end = self.extent.end
        while end is not None and self._at >= end and self.extent.is_stated:
            self.extent = continued(self.read_at, self.extent)
            if self.extent.end == end:
                break
            end = self.extent.end
        return end


def _overlaid(data: bytes, at: int, replacement: bytes) -> bytes:
    """Data with other bytes at an offset, as far as that lies in it."""
    first, last = max(0, at), min(len(data), at + len(replacement))
    return data[:first] + replacement[first - at : last - at] + data[last:] if first < last else data
