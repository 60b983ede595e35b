"""Deleting the oldest history, by age and by size."""

import math
import sqlite3
import time
from typing import Annotated, Final

from msgspec import Meta

AgeLimit = Annotated[float, Meta(gt=0, lt=1e6, extra={"unit": "days"})]
SizeLimit = Annotated[float, Meta(ge=(1 << 20) / 1e6, extra={"unit": "MB"})]
"""Infinity is no limit."""
WAL_PAGES: Final = 1000
DAY_NS: Final = 86_400 * 1_000_000_000
_TARGET: Final = 0.8
_LEAST_SHARE: Final = 0.05
_SIZED: Final = ("windows", "events", "gaps")


class SteadyClock:
    """The wall time that was set when this was made, and what has passed since; a step forward does not move it.

    While the wall clock is behind that, as after it was set back, it is believed: nothing looks older than it is.
    """

    def __init__(self) -> None:
        self._offset_ns: Final = time.time_ns() - _uptime_ns()

    def now_ns(self) -> int:
        """The present time, Unix epoch."""
        return min(time.time_ns(), self._offset_ns + _uptime_ns())


def _uptime_ns() -> int:
    """A monotonic time; one that also counts the time in suspension, where the system has it."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Retention:
    """Keeps a database within an age and a size, and gives room back to the file system.

    Args:
        connection: to the database, open for writing.
        max_age_days: what ended longer ago is deleted; None keeps it.
        max_mb: the oldest is deleted when the database with its log is larger; None lets it grow.
        clock: by which the age is measured; one that begins now unless given.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        max_age_days: AgeLimit | None,
        max_mb: SizeLimit | None,
        clock: SteadyClock | None = None,
    ) -> None:
        max_bytes = None if max_mb is None or math.isinf(max_mb * 1e6) else round(max_mb * 1e6)
        self._connection: Final = connection
        self._clock: Final = clock or SteadyClock()
        self._max_age_ns: Final = None if max_age_days is None else round(max_age_days * DAY_NS)
        self._page_bytes: Final = self._number("page_size")
        # The write-ahead log counts too: an eighth of the room is for it.
        log_pages = min(WAL_PAGES, max_bytes // 8 // self._page_bytes) if max_bytes else WAL_PAGES
        self._max_pages: Final = None if max_bytes is None else max_bytes // self._page_bytes - log_pages
        connection.execute(f"PRAGMA wal_autocheckpoint = {log_pages}")
        connection.execute(f"PRAGMA journal_size_limit = {log_pages * self._page_bytes}")

    def apply(self) -> None:
        """Delete what is too old or too much.

        Raises:
            sqlite3.Error: it could not be done now.
        """
        if self._max_age_ns is not None:
            self._delete_before(max(0, self._clock.now_ns() - self._max_age_ns))
        if self._max_pages is not None and self._used_pages() > self._max_pages:
            self._shrink(self._max_pages)
        if self._number("freelist_count"):
            self._connection.executescript("PRAGMA incremental_vacuum")  # `execute` would free a single page

    def _delete_before(self, before_ns: int) -> None:
        for text in (
            "DELETE FROM windows WHERE closed_ns < ?",
            "DELETE FROM gaps WHERE end_ns < ?",
            "DELETE FROM events WHERE end_ns < ?",
            "DELETE FROM sessions WHERE spoke_ns < ?",  # and with it what played to its end
        ):
            self._connection.execute(text, (before_ns,))

    def _shrink(self, max_pages: int) -> None:
        """Delete the oldest part of everything, until there is some room again."""
        while (used := self._used_pages()) > max_pages * _TARGET:
            share = max(_LEAST_SHARE, 1 - max_pages * _TARGET / used)
            before = self._connection.total_changes
            self._delete_oldest(share)
            if self._connection.total_changes == before:
                return

    def _delete_oldest(self, share: float) -> None:
        """By the order of writing, which a wall clock that is set back does not change."""
        for table in _SIZED:
            open_too = " AND end_ns IS NOT NULL" if table == "events" else ""
            self._connection.execute(
                f"DELETE FROM {table} WHERE id <= (SELECT min(id) + (max(id) - min(id)) * ? FROM {table}){open_too}",  # noqa: S608  our own names
                (share,),
            )
        self._connection.execute(
            """DELETE FROM sessions WHERE id <= (SELECT min(id) + (max(id) - min(id)) * ? FROM sessions)
            AND id NOT IN (SELECT max(id) FROM sessions GROUP BY stream)
            AND NOT EXISTS (SELECT 1 FROM windows WHERE session = sessions.id)
            AND NOT EXISTS (SELECT 1 FROM events WHERE session = sessions.id)
            AND NOT EXISTS (SELECT 1 FROM gaps WHERE session = sessions.id)""",
            (share,),
        )

    def _used_pages(self) -> int:
        return self._number("page_count") - self._number("freelist_count")

    def _number(self, pragma: str) -> int:
        return int(self._connection.execute(f"PRAGMA {pragma}").fetchone()[0])
