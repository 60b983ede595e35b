"""`whoplays history`: which instruments played when."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from whoplays.models.errors import OptionError
from whoplays.stream.common.clock import unix_ns
from whoplays.stream.common.paths import history_file
from whoplays.stream.common.terminal import ignore_broken_pipe
from whoplays.stream.history.export import OF_ONE_SESSION, Format, write
from whoplays.stream.history.query import Query, newest_session, rows

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def history(
    database: Path | None = None,
    /,
    *,
    stream: str | None = None,
    since: str | None = None,
    until: str | None = None,
    form: Annotated[Format, Parameter(name="--format")] = "table",
    session: str | None = None,
) -> None:
    """Show which instruments played when, and the gaps, as `whoplays serve` recorded them; also while it runs.

    Args:
        database: The history's file; unless given, the one in your folder for state.
        stream: The one stream to show; all of them unless given.
        since: What played then or later: a date, a date and time, a time of today, or how long ago, such as 90m.
        until: What played then or earlier; written like `since`.
        form: A table for people, CSV, a line of JSON for each appearance; or, of one session, labels for Audacity or
            Raven, JAMS, or a DAW's markers.
        session: The one session to show; unless given, all of them, or the newest where the format is of one.
    """
    path, now = database or history_file(), datetime.now(UTC)
    since_ns, until_ns = (None if text is None else parse_time(text, now) for text in (since, until))
    if since_ns is not None and since_ns > now.timestamp() * 1e9:
        raise OptionError(f"--since must not be in the future, got {since!r}; a time without a date is one of today")
    if form in OF_ONE_SESSION and session is None:
        session = newest_session(path, stream)
    found = rows(path, Query(stream, session, since_ns, until_ns))
    with ignore_broken_pipe():
        write(found, form)


def parse_time(text: str, now: datetime) -> int:
    """Unix time in ns of a date, a date and time, a time of today, or how long ago, such as `90m`.

    Args:
        text: the time as a user writes it; without a time zone, it is in the local one.
        now: the present time.

    Raises:
        OptionError: it has another form.

    >>> parse_time("1970-01-01T00:00:01Z", datetime(2026, 1, 1, 12, tzinfo=UTC))
    1000000000
    >>> parse_time("90m", datetime(1970, 1, 1, 2, tzinfo=UTC)) // 1_000_000_000
    1800
    """
    ago = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])", text)
    try:
        time = now - timedelta(**{_UNITS[ago[2]]: float(ago[1])}) if ago else _absolute(text, now)
    except (ValueError, OverflowError) as error:
        examples = "2026-05-01, 2026-05-01T20:15, 20:15, or 90m for that long ago"
        raise OptionError(f"time must be one such as {examples}, got {text!r}") from error
    return unix_ns(time)


def _absolute(text: str, now: datetime) -> datetime:
    if re.match(r"\d{1,2}:", text):
        text = f"{now.astimezone().date().isoformat()}T{text:0>5}"
    return datetime.fromisoformat(text).astimezone()
