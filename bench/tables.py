"""Results as words and tables, for the terminal and for the page alike."""

from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from whoplays.bench.conditions import Conditions
from whoplays.bench.event_scores import COLLAR_S
from whoplays.bench.results import (
    Cell,
    EventsResult,
    EventsRow,
    LatencyResult,
    PeerCell,
    Point,
    Rates,
    Result,
    SoakResult,
    ThroughputResult,
)
from whoplays.bench.summary import Summary


@dataclass(frozen=True, slots=True)
class Grid:
    """A table before it is drawn: the first column names the row, the others are figures."""

    title: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def lay_out(result: Result) -> Grid:
    """The table that shows a result."""
    conditions = result.conditions
    models = " and ".join(f"{model.name} {model.version}" for model in conditions.models)
    heard_by = f"{models} on {conditions.provider}"
    match result:
        case LatencyResult():
            return _latency(result, heard_by)
        case ThroughputResult():
            return _throughput(result, heard_by)
        case SoakResult():
            return _soak(result, heard_by)
        case EventsResult():
            return _events(result, heard_by)


def describe(conditions: Conditions) -> str:
    """The conditions in one line."""
    hardware = conditions.hardware
    gpu = f", {hardware.gpu}" if hardware.gpu else ""
    software = ", ".join(f"{name} {version}" for name, version in conditions.versions.items())
    digests = " and ".join(model.sha256 for model in conditions.models)
    return (
        f"{hardware.cpu}, {hardware.cores} cores, {hardware.memory_gib:g} GiB{gpu}; {conditions.os}; {software}; "
        f"model sha256 {digests}; load {conditions.load:g} before; {conditions.measured_at}"
    )


def show(result: Result, console: Console) -> None:
    """Draw a result on a terminal."""
    grid = lay_out(result)
    table = Table(title=grid.title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for place, heading in enumerate(grid.headings):
        table.add_column(heading, justify="right" if place else "left")
    for row in grid.rows:
        table.add_row(*row)
    console.print(table, grid.caption, describe(result.conditions), sep="\n\n", highlight=False)


def _latency(result: LatencyResult, heard_by: str) -> Grid:
    rows = (_times("due to received", result.latency), *(_times(*stage) for stage in result.stages.items()))
    caption = f"{result.windows} windows, one every {result.hop_s:g} s: {result.received} received, {result.lost} lost."
    return Grid(f"Latency of {heard_by}", caption, ("ms", "p50", "p90", "p99", "max"), rows)


def _throughput(result: ThroughputResult, heard_by: str) -> Grid:
    caption = (
        f"Median of {result.rounds} rounds, {result.seconds_per_cell:g} s in all for each row. Ratio and difference "
        f"are to one window at a time on one thread; {result.tolerance:.0e} is allowed."
    )
    headings = ("batch", "threads", "windows/s", "slowest", "fastest", "ratio", "max difference")
    return Grid(f"Throughput of {heard_by}", caption, headings, (*map(_cell, result.cells), *map(_peer, result.peers)))


def _soak(result: SoakResult, heard_by: str) -> Grid:
    _, *lags = _times("lag", result.lag)
    caption = (
        f"{result.streams} streams for {result.minutes:g} min, {result.loss:.2%} of the packets withheld. "
        f"Lag in ms: p50 {lags[0]}, p90 {lags[1]}, p99 {lags[2]}, max {lags[3]}."
    )
    rows = tuple(map(_point, result.points))
    return Grid(f"Soak of {heard_by}", caption, ("point", "found", "allowed", "verdict"), rows)


def _events(result: EventsResult, heard_by: str) -> Grid:
    fits = result.hysteresis
    caption = (
        f"An entry of {fits.entry:g} with a release of {fits.release:g} fits all {result.concerts} concerts best. "
        f"Of the entrances told, right are those of who did enter, within {COLLAR_S:g} s. Both: onset and offset. "
        "p50 and p90: how long after the true onset the window was over that showed it."
    )
    figures = ("hop s", "played", "told", "right", "onset F1", "both F1", "p50 s", "p90 s")
    return Grid(f"Events by {heard_by}", caption, ("entry, release", *figures), tuple(map(_entrances, result.rows)))


def _entrances(row: EventsRow) -> tuple[str, ...]:
    one, scores = row.hysteresis, row.scores
    name = f"{one.entry:g}, {one.release:g}" if one else "fitted to others"
    counts = (str(count) for count in (row.hop_s, scores.played, scores.told, scores.right))
    shares = (f"{scores.onset_f1:.3f}", f"{scores.onset_offset_f1:.3f}")
    delays = (f"{np.percentile(scores.delays_s, share):.2f}" if scores.delays_s else "" for share in (50, 90))
    return name, *counts, *shares, *delays


def _times(name: str, times: Summary) -> tuple[str, ...]:
    return name, *(f"{value:.2f}" for value in (times.p50_ms, times.p90_ms, times.p99_ms, times.max_ms))


def _cell(cell: Cell) -> tuple[str, ...]:
    difference = "no number" if cell.max_abs_diff is None else f"{cell.max_abs_diff:.1e}"
    verdict = difference if cell.agrees else f"{difference} TOO LARGE"
    return str(cell.batch), str(cell.threads), *_rates(cell.rates), verdict


def _peer(cell: PeerCell) -> tuple[str, ...]:
    return cell.name, "1", *_rates(cell.rates), "-"


def _rates(rates: Rates) -> tuple[str, ...]:
    per_s = (f"{rate:.1f}" for rate in (rates.windows_per_s, rates.slowest_per_s, rates.fastest_per_s))
    return *per_s, f"{rates.ratio:.2f}"


def _point(point: Point) -> tuple[str, ...]:
    verdict = {True: "holds", False: "FAILS", None: "not judged"}[point.holds]
    return point.name, point.found, point.allowed, verdict
