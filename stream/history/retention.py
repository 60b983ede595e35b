"""Forgetting the oldest history, by age and by size."""

import sqlite3
import time
from typing import Final

from whoplays.models.errors import OptionError

SMALLEST_BYTES: Final = 1 << 20
LONGEST_DAYS: Final = 1e6
WAL_PAGES: Final = 1000
DAY_NS: Final = 86_400 * 1_000_000_000
_TARGET: Final = 0.8
_LEAST_SHARE: Final = 0.05
_SIZED: Final = ("windows", "events", "gaps")


class Retention:
    """Keeps a database within an age and a size, and gives back the room to the file system.

    Args:
        connection: to the database, open for writing.
        max_age_days: what ended longer ago is forgotten; None keeps it.
        max_bytes: the oldest is forgotten when the database with its log is larger; None lets it grow.

    Raises:
        OptionError: a limit makes no sense.
    """

    def __init__(self, connection: sqlite3.Connection, max_age_days: float | None, max_bytes: int | None) -> None:
        check_limits(max_age_days, max_bytes)
        self._connection: Final = connection
        self._max_age_ns: Final = None if max_age_days is None else round(max_age_days * DAY_NS)
        self._page_bytes: Final = self._number("page_size")
        # The write-ahead log counts too: an eighth of the room is for it.
        log_pages = min(WAL_PAGES, max_bytes // 8 // self._page_bytes) if max_bytes else WAL_PAGES
        self._max_pages: Final = None if max_bytes is None else max_bytes // self._page_bytes - log_pages
        connection.execute(f"PRAGMA wal_autocheckpoint = {log_pages}")
        connection.execute(f"PRAGMA journal_size_limit = {log_pages * self._page_bytes}")

    def apply(self) -> None:
        """Forget what is too old or too much.

        Raises:
            sqlite3.Error: it could not be done now.
        """
        if self._max_age_ns is not None:
            self._forget_before(time.time_ns() - self._max_age_ns)
        if self._max_pages is not None and self._used_pages() > self._max_pages:
            self._shrink(self._max_pages)
        if self._number("freelist_count"):
            self._connection.executescript("PRAGMA incremental_vacuum")  # `execute` would free a single page

    def _forget_before(self, moment_ns: int) -> None:
        for text in (
            "DELETE FROM windows WHERE closed_ns < ?",
            "DELETE FROM gaps WHERE end_ns < ?",
            "DELETE FROM events WHERE end_ns < ?",
            "DELETE FROM sessions WHERE spoke_ns < ?",  # and with it whoever played to its end, unfinished
        ):
            self._connection.execute(text, (moment_ns,))

    def _shrink(self, max_pages: int) -> None:
        """Forget the oldest part of everything, until there is some room again."""
        while (used := self._used_pages()) > max_pages * _TARGET:
            share = max(_LEAST_SHARE, 1 - max_pages * _TARGET / used)
            before = self._connection.total_changes
            self._forget_oldest(share)
            if self._connection.total_changes == before:
                return

    def _forget_oldest(self, share: float) -> None:
        """Rows are numbered as they were written: no wall clock that was set back can save or doom any."""
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


def check_limits(max_age_days: float | None, max_bytes: int | None) -> None:
    """Refuse limits that make no sense.

    Raises:
        OptionError: see `check_age` and `check_size`.
    """
    check_age(max_age_days)
    check_size(None if max_bytes is None else max_bytes / 1e6)


def check_age(max_age_days: float | None) -> None:
    """Refuse an age that makes no sense.

    Raises:
        OptionError: it is not positive, or longer than anything is kept.
    """
    if max_age_days is not None and not 0 < max_age_days < LONGEST_DAYS:
        raise OptionError(
            f"keeping a history for {max_age_days:g} days makes no sense; "
            f"give more than 0, and less than {LONGEST_DAYS:.0f}"
        )


def check_size(max_mb: float | None) -> None:
    """Refuse a size that makes no sense.

    Raises:
        OptionError: it is no number, or below 1 MiB.
    """
    if max_mb is not None and not max_mb >= SMALLEST_BYTES / 1e6:
        raise OptionError(
            f"a history of at most {max_mb:g} MB makes no sense; give {SMALLEST_BYTES / 1e6:.2f} or more, "
            "or inf for no limit"
        )
