"""Rows of the history for people, spreadsheets, programs and Audacity."""

import csv
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from itertools import groupby, islice
from operator import attrgetter
from typing import Final, Literal

import msgspec
from rich.console import Console
from rich.table import Table

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.archive.annotation import AnnotatedEvent, AnnotatedGap, Annotation
from whoplays.stream.archive.formats import Format as RecordingFormat
from whoplays.stream.archive.formats import render
from whoplays.stream.common.terminal import note, printable
from whoplays.stream.history.query import Row, Span

DATE: Final = len("2026-01-01 ")
TABLE_ROWS: Final = 500
"""So many are laid out together: the columns may be wider further down, but memory does not grow with the history."""
Format = Literal["table", "csv", "json", "audacity", "raven", "jams", "markers"]
OF_ONE_SESSION: Final = frozenset({"audacity", "raven", "jams", "markers"})
"""Formats whose times are seconds since a session began."""


def write(rows: Iterable[Span], form: Format) -> None:
    """Print rows of the history on standard output."""
    _WRITERS[form](rows)


def _table(rows: Iterable[Span]) -> None:
    console, merged, widths = Console(markup=False), _merged(rows), (0,) * len(_HEADINGS)
    shown = False
    while cells := [_cells(*each) for each in islice(merged, TABLE_ROWS)]:
        widths = tuple(map(max, widths, *([len(cell) for cell in row] for row in cells)))
        table = Table(box=None, pad_edge=False, header_style="bold", show_header=not shown)
        for heading, width in zip(_HEADINGS, widths, strict=True):
            right = heading == "for"
            least = min(width, console.width // len(_HEADINGS))
            table.add_column(heading, overflow="fold", justify="right" if right else "left", min_width=least)
        for row in cells:
            table.add_row(*map(printable, row))
        console.print(table)
        shown = True
    if not shown:
        console.print("nobody played")


_HEADINGS: Final = ("stream", "from", "to", "for", "who", "peak")


def _merged(rows: Iterable[Span]) -> Iterator[tuple[Span, str | None, float | None, int]]:
    """Rows with their end, their length and how many they stand for: gaps in a row are one, for people."""
    for gap, run in groupby(rows, key=lambda row: row.gap and (row.stream, row.gap)):
        if not gap:
            yield from ((row, row.end, row.duration_s, 1) for row in run)
            continue
        yield _summed(run)


def _summed(gaps: Iterator[Span]) -> tuple[Span, str | None, float | None, int]:
    first = next(gaps)
    end, duration_s, count = first.end, first.duration_s or 0.0, 1
    for gap in gaps:
        end, duration_s, count = gap.end, duration_s + (gap.duration_s or 0.0), count + 1
    return first, end, duration_s, count


def _cells(row: Span, end: str | None, duration_s: float | None, count: int) -> tuple[str, ...]:
    start_text = "?" if row.start is None else _local(row.start)
    end_text = "plays on" if end is None else _local(end)
    who = row.label or f"not heard: {row.gap}" + (f" ({count} gaps)" if count > 1 else "")
    return (
        row.stream,
        start_text,
        end_text.removeprefix(start_text[:DATE]),  # the same day is not repeated
        _duration(duration_s),
        who,
        "" if row.peak is None else f"{row.peak:.0%}",
    )


def _local(time: str) -> str:
    """A time for people: local, to the second."""
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _duration(duration_s: float | None) -> str:
    if duration_s is None:
        return "?"
    minutes, seconds = divmod(duration_s, 60)
    return f"{minutes:.0f}:{seconds:04.1f}"


def _csv(rows: Iterable[Span]) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(Row.__struct_fields__)
    out.writerows(map(attrgetter(*Row.__struct_fields__), rows))


def _json(rows: Iterable[Span]) -> None:
    for each in rows:
        columns = {name: getattr(each, name) for name in Row.__struct_fields__ if name != "gap" or each.gap}
        print(msgspec.json.encode(columns).decode())


def _joined(rows: Iterable[Span]) -> Iterator[Span]:
    """Rows of one session; gaps that adjoin are one, as an outage is told second by second."""
    before: Span | None = None
    for row in rows:
        if row.gap and before and (before.gap, before.last_sample) == (row.gap, row.start_sample):
            before = msgspec.structs.replace(row, start_sample=before.start_sample, start=before.start)
            continue
        if before:
            yield before
        before = row
    if before:
        yield before


def _as_recording(form: RecordingFormat, rows: Iterable[Span]) -> None:
    """A session as if it were a recording. A start that is unknown is the end."""
    found = list(_joined(rows))
    if not found:
        note("nobody played in that session; another is chosen by --session or --stream")
    events, gaps = [], []
    for each in found:
        start = each.last_sample if each.start_sample is None else each.start_sample
        start_s, end_s = start / SAMPLE_RATE_HZ, each.last_sample / SAMPLE_RATE_HZ
        if each.gap:
            gaps.append(AnnotatedGap(start_s=start_s, end_s=end_s, cause=each.gap))
        else:
            probability = each.peak or 0.0
            events.append(AnnotatedEvent(start_s=start_s, end_s=end_s, label=each.label or "", probability=probability))
    annotation = Annotation(
        path=f"{found[0].stream} {found[0].session}" if found else "",
        duration_s=max((each.last_sample for each in found), default=0) / SAMPLE_RATE_HZ,
        model="whoplays",
        hop_s=0.0,
        events=tuple(events),
        gaps=tuple(gaps),
    )
    print(render(annotation, form), end="")


_WRITERS: Final[dict[Format, Callable[[Iterable[Span]], None]]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "audacity": partial(_as_recording, "audacity"),
    "raven": partial(_as_recording, "raven"),
    "jams": partial(_as_recording, "jams"),
    "markers": partial(_as_recording, "markers"),
}
