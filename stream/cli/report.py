"""`whoplays report`."""

import csv
import math
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from whoplays.models.errors import DataError
from whoplays.stream.archive.report import ReportPart, ReportSpan, make_report
from whoplays.stream.cli.history import parse_time
from whoplays.stream.common.paths import check_regular, history_file
from whoplays.stream.history.query import Query, Span, rows

Row = TypeVar("Row")


def report(
    source: Path | None = None,
    /,
    *,
    out: Path = Path("report.html"),
    title: str = "Who played when",
    stream: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> None:
    """Make a page of a concert: one HTML file with a timeline, totals and gaps.

    Args:
        source: A history of `whoplays serve`, or a folder of `whoplays label`; unless given, the history in your folder
            for state.
        out: The page.
        title: Its heading.
        stream: Of a history, the one stream to show.
        since: Of a history, what played then or later, as `whoplays history` takes it.
        until: Of a history, what played then or earlier.
    """
    place = source or history_file()
    if _is_folder(place):
        parts = list(_recordings(place))
    else:
        now = datetime.now(UTC)
        since_ns, until_ns = (None if text is None else parse_time(text, now) for text in (since, until))
        found = sorted(rows(place, Query(stream, None, since_ns, until_ns)), key=attrgetter("stream", "order_ns"))
        parts = [_concert(name, list(spans)) for name, spans in groupby(found, attrgetter("stream"))]
    page = make_report(title, parts)
    try:
        with open(out, "w", encoding="utf-8", errors="replace", opener=_open_at_once) as file:
            file.write(page)
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror}") from error


def _open_at_once(path: str, flags: int) -> int:
    """As `os.open`, but a pipe that nobody reads is an error, and not waited for."""
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
    os.set_blocking(descriptor, True)
    return descriptor


def _is_folder(place: Path) -> bool:
    try:
        return place.is_dir()
    except OSError as error:
        raise DataError(f"{place} cannot be read: {error.strerror}") from error


def _concert(stream: str, spans: list[Span]) -> ReportPart:
    """What one stream's history has, from its first row to its last."""
    begin_ns = min(span.order_ns for span in spans)
    timed = [
        ReportSpan(
            (span.order_ns - begin_ns) / 1e9,
            (span.order_ns - begin_ns) / 1e9 + (span.duration_s or 0.0),
            span.gap or span.label or "",
            span.gap is not None,
        )
        for span in spans
    ]
    begins = datetime.fromtimestamp(begin_ns / 1e9).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return ReportPart(stream, begins, max(span.end_s for span in timed), timed)


def _recordings(folder: Path) -> Iterator[ReportPart]:
    """What `whoplays label` has written.

    Raises:
        DataError: the folder holds nothing of it.
    """
    by_file: dict[str, list[ReportSpan]] = {}
    for name, span in _table(folder / "events.csv", _span):
        by_file.setdefault(name, []).append(span)
    for name, error, duration_s in _table(folder / "files.csv", _file):
        yield ReportPart(name, error, duration_s, by_file.get(name, []))


def _span(row: dict[str, str]) -> tuple[str, ReportSpan]:
    gap, name = row["label"].startswith("not heard: "), row["label"].removeprefix("not heard: ")
    return row["file"], ReportSpan(_seconds(row["start_s"]), _seconds(row["end_s"]), name, gap)


def _file(row: dict[str, str]) -> tuple[str, str, float]:
    return row["file"], row["error"], _seconds(row["duration_s"] or "0")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"a time must be a number of seconds, got {text}")
    return seconds


def _table(path: Path, read: Callable[[dict[str, str]], Row]) -> list[Row]:
    """What stands in the rows of a table.

    Raises:
        DataError: it cannot be read, or a row is not as `whoplays label` writes it.
    """
    table = list[Row]()
    try:
        check_regular(path)
        # A spreadsheet may put a byte order mark before it.
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            for row in csv.DictReader(file):
                table.append(read({column: text for column, text in row.items() if text is not None}))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; make it with whoplays label") from error
    except (KeyError, ValueError, csv.Error) as error:
        problem = f"it has no {error.args[0]}" if isinstance(error, KeyError) else str(error)
        raise DataError(f"{path}, row {len(table) + 1} is not as whoplays label writes it: {problem}") from error
    return table
