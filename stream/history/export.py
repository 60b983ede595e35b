"""Appearances for people, spreadsheets, programs and Audacity."""

import csv
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from rich.console import Console
from rich.table import Table

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.history.query import Appearance, Row

DATE: Final = len("2026-01-01 ")
Format = Literal["table", "csv", "json", "audacity"]


def write(appearances: Iterable[Appearance], form: Format) -> None:
    """Print appearances on standard output."""
    _WRITERS[form](appearances)


def _table(appearances: Iterable[Appearance]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("stream", "from", "to", "for", "who", "surely"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "for" else "left")
    for each in appearances:
        start = "?" if each.start is None else _local(each.start)
        end = "plays on" if each.end is None else _local(each.end)
        end = end.removeprefix(start[:DATE])  # the same day is not repeated
        table.add_row(each.stream, start, end, _duration(each), each.label, f"{each.peak:.0%}")
    Console(markup=False).print(table if table.row_count else "nobody played")


def _local(time: str) -> str:
    """A time for people: local, to the second."""
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _duration(each: Appearance) -> str:
    if each.start_sample is None:
        return "?"
    minutes, seconds = divmod((each.last_sample - each.start_sample) / SAMPLE_RATE_HZ, 60)
    return f"{minutes:.0f}:{seconds:04.1f}"


def _csv(appearances: Iterable[Appearance]) -> None:
    out = csv.DictWriter(sys.stdout, Row.__struct_fields__, lineterminator="\n")
    out.writeheader()
    out.writerows(map(_columns, appearances))


def _json(appearances: Iterable[Appearance]) -> None:
    for each in appearances:
        print(msgspec.json.encode(_columns(each)).decode())


def _columns(each: Appearance) -> dict[str, Any]:
    return {name: getattr(each, name) for name in Row.__struct_fields__}


def _audacity(appearances: Iterable[Appearance]) -> None:
    """One label a line: start, end, who; in seconds since the session began. A start that is unknown is the end."""
    for each in appearances:
        start = each.last_sample if each.start_sample is None else each.start_sample
        print(f"{start / SAMPLE_RATE_HZ:.6f}\t{each.last_sample / SAMPLE_RATE_HZ:.6f}\t{each.label}")


_WRITERS: Final[dict[Format, Callable[[Iterable[Appearance]], None]]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "audacity": _audacity,
}
