"""The database of the history while it is written: opened anew when its file is gone, or cannot be used."""

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from whoplays.stream.history.retention import AgeLimit, Retention, SizeLimit, SteadyClock
from whoplays.stream.history.schema import open_to_write
from whoplays.stream.history.writer import HistoryWriter
from whoplays.stream.pubsub.messages import Message

_FILE_CHANGED: Final = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_READONLY,
}
"""What SQLite says when the file is no longer what was opened; a full or busy disk needs no new connection."""


class HistoryDatabase:
    """Writes messages and deletes what is too old, in whatever file stands at a path.

    Args:
        path: the database; made if there is none.
        keep_windows: whether each window becomes a row.
        max_age_days: what is older is deleted; None keeps it.
        max_mb: the oldest is deleted when the database is larger; None lets it grow.
        on_replaced: is called with a line when the file was removed or replaced.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep_windows: bool,
        max_age_days: AgeLimit | None,
        max_mb: SizeLimit | None,
        on_replaced: Callable[[str], None],
    ) -> None:
        self._path: Final = path
        self._keep_windows: Final = keep_windows
        self._limits: Final = (max_age_days, max_mb, SteadyClock())
        self._on_replaced: Final = on_replaced
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def open(self) -> None:
        """Open it, unless it is.

        Raises:
            DataError: it cannot be made or written, is another program's, or was made by a newer version.
        """
        if self._connection is not None:
            return
        self._connection = open_to_write(self._path)
        self._file = self._identity()
        self._writer = HistoryWriter(self._connection, keep_windows=self._keep_windows)
        self._retention = Retention(self._connection, *self._limits)

    def close(self) -> None:
        """Close it; it is opened again when it is used."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def write(self, messages: Iterable[Message]) -> None:
        """Write messages, all of them or none, into the file that stands at the path.

        Raises:
            sqlite3.Error: none could be written; they may be given again.
            DataError: the same; see `open`.
        """
        messages = tuple(messages)
        self._use(lambda: self._writer.write(messages))
        if self._was_replaced():
            self._use(lambda: self._writer.write(messages))

    def shorten(self) -> None:
        """Delete what is too old or too much.

        Raises:
            sqlite3.Error: it could not be done now.
            DataError: the same; see `open`.
        """
        self._use(lambda: self._retention.apply())  # noqa: PLW0108  of the connection that is open then

    def _use(self, action: Callable[[], None]) -> None:
        self._was_replaced()
        self.open()
        try:
            action()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _FILE_CHANGED:
                self.close()
            raise

    def _was_replaced(self) -> bool:
        """Whether another file, or none, stands where the open one stood; that one is closed then."""
        if self._connection is None or self._identity() == self._file:
            return False
        self.close()
        self._on_replaced(f"{self._path} was removed or replaced; what it held is gone, and a new history begins there")
        return True

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino
