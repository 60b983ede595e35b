"""Moments as people write them, and as they are shown."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from whoplays.models.errors import OptionError

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_moment(text: str, now: datetime) -> int:
    """Wall time in ns of a moment: a date, a date and time, a time of today, or how long ago, such as `90m`.

    Args:
        text: what somebody wrote; without a time zone, it is in the local one.
        now: this moment.

    Raises:
        OptionError: it is no moment.

    >>> parse_moment("1970-01-01T00:00:01Z", datetime(2026, 1, 1, 12, tzinfo=UTC))
    1000000000
    >>> parse_moment("90m", datetime(1970, 1, 1, 2, tzinfo=UTC)) // 1_000_000_000
    1800
    """
    ago = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])", text)
    try:
        moment = now - timedelta(**{_UNITS[ago[2]]: float(ago[1])}) if ago else _absolute(text, now)
    except (ValueError, OverflowError) as error:
        examples = "2026-05-01, 2026-05-01T20:15, 20:15, or 90m for that long ago"
        raise OptionError(f"{text!r} is no moment; give one such as {examples}") from error
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def show_moment(moment_ns: int) -> str:
    """Wall time for programs: ISO 8601 in UTC, to the millisecond.

    >>> show_moment(1_500_000_000)
    '1970-01-01T00:00:01.500Z'
    """
    moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=moment_ns // 1_000_000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def show_local(moment_ns: int) -> str:
    """Wall time for people, here, to the second."""
    return datetime.fromtimestamp(moment_ns / 1e9).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _absolute(text: str, now: datetime) -> datetime:
    if re.match(r"\d{1,2}:", text):
        text = f"{now.astimezone().date().isoformat()}T{text:0>5}"
    return datetime.fromisoformat(text).astimezone()
