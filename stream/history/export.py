"""Appearances for people, spreadsheets, programs and Audacity."""

import csv
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec
from rich.console import Console
from rich.table import Table

from whoplays.models.errors import OptionError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.history.query import Appearance

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


DATE: Final = len("2026-01-01 ")
Format = Literal["table", "csv", "json", "audacity"]


class Row(msgspec.Struct, frozen=True):
    """An appearance as programs get it: a line of JSON, or of CSV, where None is an empty field."""

    stream: str
    session: str
    label: str
    start: str | None
    """ISO 8601, UTC; None if the message about it was lost."""
    end: str | None
    """ISO 8601, UTC; None while it plays."""
    start_sample: int | None
    end_sample: int | None
    peak: float


def write(appearances: Sequence[Appearance], form: Format) -> None:
    """Print appearances on standard output."""
    _WRITERS[form](appearances)


def _row(each: Appearance) -> Row:
    return Row(
        stream=each.stream,
        session=each.session,
        label=each.label,
        start=None if each.start_ns is None else show_moment(each.start_ns),
        end=None if each.playing else show_moment(each.end_ns),
        start_sample=each.start_sample,
        end_sample=None if each.playing else each.end_sample,
        peak=each.peak,
    )


def _table(appearances: Iterable[Appearance]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("stream", "from", "to", "for", "who", "surely"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "for" else "left")
    for each in appearances:
        start = "?" if each.start_ns is None else show_local(each.start_ns)
        end = "plays on" if each.playing else show_local(each.end_ns)
        end = end.removeprefix(start[:DATE])  # a day is said once
        table.add_row(each.stream, start, end, _length(each), each.label, f"{each.peak:.0%}")
    Console(markup=False).print(table if table.row_count else "nobody played")


def _length(each: Appearance) -> str:
    if each.start_sample is None:
        return "?"
    minutes, seconds = divmod((each.end_sample - each.start_sample) / SAMPLE_RATE_HZ, 60)
    return f"{minutes:.0f}:{seconds:04.1f}"


def _csv(appearances: Iterable[Appearance]) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(Row.__struct_fields__)
    for each in appearances:
        out.writerow(msgspec.structs.astuple(_row(each)))


def _json(appearances: Iterable[Appearance]) -> None:
    for each in appearances:
        print(msgspec.json.encode(_row(each)).decode())


def _audacity(appearances: Iterable[Appearance]) -> None:
    """One label a line: start, end, who; in seconds since the session began. A start that is unknown is the end."""
    for each in appearances:
        start = each.end_sample if each.start_sample is None else each.start_sample
        print(f"{start / SAMPLE_RATE_HZ:.6f}\t{each.end_sample / SAMPLE_RATE_HZ:.6f}\t{each.label}")


_WRITERS: Final[dict[Format, Callable[[Sequence[Appearance]], None]]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "audacity": _audacity,
}
