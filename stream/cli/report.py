"""`whoplays report`."""

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from whoplays.models.errors import DataError
from whoplays.stream.archive.report import ReportPart, ReportSpan, make_report
from whoplays.stream.cli.history import parse_time
from whoplays.stream.common.paths import history_file
from whoplays.stream.history.query import Query, Span, rows


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
    if place.is_dir():
        parts = list(_recordings(place))
    else:
        now = datetime.now(UTC)
        since_ns, until_ns = (None if text is None else parse_time(text, now) for text in (since, until))
        found = sorted(rows(place, Query(stream, None, since_ns, until_ns)), key=attrgetter("stream", "order_ns"))
        parts = [_concert(name, list(spans)) for name, spans in groupby(found, attrgetter("stream"))]
    page = make_report(title, parts)
    try:
        out.write_text(page, encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror}") from error


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
    files, events = _table(folder / "files.csv"), _table(folder / "events.csv")
    by_file: dict[str, list[ReportSpan]] = {}
    for row in events:
        gap = row["label"].startswith("not heard: ")
        name = row["label"].removeprefix("not heard: ")
        by_file.setdefault(row["file"], []).append(ReportSpan(float(row["start_s"]), float(row["end_s"]), name, gap))
    for row in files:
        yield ReportPart(row["file"], row["error"], float(row["duration_s"] or 0), by_file.get(row["file"], []))


def _table(path: Path) -> Iterable[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; make it with whoplays label") from error
