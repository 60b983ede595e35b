"""Results as tables, on a terminal and in Markdown: docs/benchmarks.md is made of page_head.md and result files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console

from whoplays.bench.conditions import describe
from whoplays.bench.intervals import Interval
from whoplays.bench.results import (
    CapacityResult,
    CapacityStep,
    ComparisonResult,
    EventsResult,
    LatencyResult,
    ProfileResult,
    Rates,
    Result,
    SoakCheck,
    SoakResult,
    Summary,
    ThroughputResult,
    ThroughputRow,
)
from whoplays.models.event_scores import COLLARS_S, EventsRow
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.models.tables import Table

HEAD_PATH: Final = Path(__file__).with_name("page_head.md")
INTERVALS: Final = (
    " In brackets: where the percentile of such windows lies at 95 %, were they independent of one another."
)
NO_RESULTS: Final = "\n## Results\n\nNothing has been measured yet.\n"


def make_page(results: Sequence[Result]) -> str:
    """The page in Markdown that shows results, in their order."""
    return HEAD_PATH.read_text(encoding="utf-8") + ("".join(map(_section, results)) or NO_RESULTS)


def show(result: Result, console: Console) -> None:
    """Print a result as a table on a terminal."""
    table = make_table(result)
    console.print(*table.drawn(console.width), table.caption, describe(result.conditions), sep="\n\n", highlight=False)


def make_table(result: Result) -> Table:
    """The table that shows a result."""
    conditions = result.conditions
    models = " and ".join(f"{model.name} {model.version}" for model in conditions.models)
    subject = f"{models} on {conditions.provider}"
    return _TABLES[type(result)](result, subject)


def _section(result: Result) -> str:
    table = make_table(result)
    return (
        f"\n## {table.title}\n\n    {result.command}\n\n{table.markdown()}\n\n{table.caption}\n\n"
        f"{describe(result.conditions)}\n"
    )


def _latency(result: LatencyResult, subject: str) -> Table:
    rows = (_times("due to received", result.latency), *(_times(*stage) for stage in result.stages.items()))
    if result.streams > 1 or result.source != "pipe":
        subject += f", {result.streams} {result.source} stream{'s' * (result.streams > 1)}"
    subject += ": OVERLOADED" if result.overload else ""
    caption = f"{result.windows} windows, one every {result.hop_s:g} s: {result.received} received, {result.lost} lost"
    if result.overload:
        caption += f", {result.overload} of them to overload: inference takes longer than a hop"
    caption += "."
    caption += INTERVALS if result.latency.count else ""
    return Table(f"Latency of {subject}", ("ms",), ("p50", "p90", "p99", "max"), rows, caption)


def _throughput(result: ThroughputResult, subject: str) -> Table:
    caption = (
        f"Median of {result.rounds} rounds, {result.seconds_per_cell:g} s in all for each row. Ratio and difference "
        f"are to one window at a time on one thread; {result.tolerance:.0e} is allowed."
    )
    figures = ("threads", "windows/s", "slowest", "fastest", "ratio", "max difference")
    baselines = ((row.name, "1", *_rates(row.rates), "-") for row in result.baselines)
    rows = (*map(_throughput_row, result.rows), *baselines)
    return Table(f"Throughput of {subject}", ("batch",), figures, rows, caption)


def _soak(result: SoakResult, subject: str) -> Table:
    _, *lags = _times("lag", result.lag)
    intervals = INTERVALS if result.lag.count else ""
    caption = (
        f"{result.streams} streams for {result.minutes:g} min, {result.loss:.2%} of the packets withheld. "
        f"Lag in ms: p50 {lags[0]}, p90 {lags[1]}, p99 {lags[2]}, max {lags[3]}.{intervals}"
    )
    rows = tuple(map(_soak_row, result.checks))
    return Table(f"Soak of {subject}", ("check",), ("found", "allowed", "result"), rows, caption)


def _capacity(result: CapacityResult, subject: str) -> Table:
    most, recovery = result.most_streams, "was not tried"
    if result.recovery_s is not None:
        recovery = f"took {result.recovery_s:g} s until half of them were in time again"
    elif most > 1 and not all(step.passed for step in result.steps):
        recovery = "did not come within 15 s"
    caption = (
        f"{most} {result.source} stream{'s' * (most != 1)} at a hop of {result.hop_s:g} s, packets of "
        f"{result.packet_ms:g} ms: p99 within {result.budget_ms:g} ms, no sample and no window lost. What ran out: "
        f"{result.ran_out}. Recovery from an overload of twice as many {recovery}. Latency in ms; CPU in cores."
    )
    figures = (
        "windows",
        "p50",
        "p99",
        "lost\nwindows",
        "lost\nsamples",
        "daemon",
        "thread",
        "sender",
        "machine",
        "MiB",
    )
    rows = tuple(map(_capacity_row, result.steps))
    return Table(f"Capacity of {subject}", ("streams",), (*figures, "result"), rows, caption + INTERVALS)


def _capacity_row(step: CapacityStep) -> tuple[str, ...]:
    usage, latency = step.usage, step.latency
    cores = (f"{each:.2f}" for each in (usage.daemon, usage.busiest_thread, usage.sender, usage.machine))
    _, p50, _, p99, _ = _times("", latency)
    lost = (str(step.lost_windows), str(step.lost_samples))
    passed = "passed" if step.passed else "FAILED"
    return str(step.streams), str(latency.count), p50, p99, *lost, *cores, f"{usage.rss_mib:.0f}", passed


def _comparison(result: ComparisonResult, subject: str) -> Table:
    ratio, verdict = result.time_ratio, result.time_ratio.verdict
    found = "cannot tell" if verdict == "cannot tell" else f"{result.second} is {verdict}"
    caption = (
        f"{found}: {result.second} takes {ratio.ratio:.3f} times as long as {result.first} ({ratio.low:.3f} to "
        f"{ratio.high:.3f} at 95 %, bootstrap of {len(result.rounds_ms[0])} rounds). Measured: {result.what}."
    )
    rows = tuple(
        (name, str(sum(map(len, rounds))), f"{np.median([np.median(each) for each in rounds]):.3f}")
        for name, rounds in zip((result.first, result.second), result.rounds_ms, strict=True)
    )
    return Table(f"Comparison by {subject}", ("of",), ("times", "median ms"), rows, caption)


def _profile(result: ProfileResult, subject: str) -> Table:
    means = {stage: float(np.mean(times_us)) for stage, times_us in result.samples_us.items()}
    total = sum(means.values())
    rows = tuple(
        (stage, f"{mean:.0f}", f"{np.median(result.samples_us[stage]):.0f}", f"{mean / total:.1%}")
        for stage, mean in means.items()
    )
    per_window_us = 1e6 * result.usage.daemon * result.hop_s / result.streams
    caption = (
        f"{len(result.samples_us['infer'])} windows of {result.streams} {result.source} streams at a hop of "
        f"{result.hop_s:g} s. The daemon took {per_window_us:.0f} us of CPU for each hop of a stream, all included, "
        f"{result.usage.busiest_thread:.2f} of a core in its busiest thread. {result.overload} windows were given up."
    )
    return Table(f"Profile of {subject}", ("stage",), ("mean us", "p50 us", "share"), rows, caption)


def _events(result: EventsResult, subject: str) -> Table:
    best, frames = result.settings.hysteresis, result.settings.frames
    held = (
        f", kept for {frames.enter_samples / SAMPLE_RATE_HZ:g} s and {frames.leave_samples / SAMPLE_RATE_HZ:g} s"
        if frames
        else ""
    )
    caption = (
        f"An entry of {best.entry:g} with a release of {best.release:g}{held} fits all {result.concerts} concerts "
        "best. F1 of onsets and of offsets of the right instrument within so many seconds. p50 and p90: from the true "
        "onset or offset until it was known, in seconds."
    )
    within = [f"{what} {collar:g}" for what in ("onset", "offset") for collar in COLLARS_S]
    figures = ("hop s", "played", "detected", *within, "onset p50", "p90", "offset p50", "p90")
    return Table(f"Events by {subject}", ("settings",), figures, tuple(map(_events_row, result.rows)), caption)


def _times(name: str, times: Summary) -> tuple[str, ...]:
    if not times.count:
        return name, *(f"{value:.2f}" for value in (times.p50_ms, times.p90_ms, times.p99_ms, times.max_ms))
    percentiles = zip((times.p50_ms, times.p90_ms, times.p99_ms), times.intervals, strict=True)
    return name, *(with_interval(*each) for each in percentiles), f"{times.max_ms:.2f}"


def with_interval(value: float, interval: Interval | None) -> str:
    """A percentile and where it may lie.

    >>> with_interval(10.583, (9.5, 14.97)), with_interval(10.583, None)
    ('10.58 (9.50 to 14.97)', '10.58 (n too small)')
    """
    return f"{value:.2f} " + (f"({interval[0]:.2f} to {interval[1]:.2f})" if interval else "(n too small)")


def _throughput_row(row: ThroughputRow) -> tuple[str, ...]:
    difference = "not a number" if row.max_abs_diff is None else f"{row.max_abs_diff:.1e}"
    marked = difference if row.agrees else f"{difference} TOO LARGE"
    return str(row.batch), str(row.threads), *_rates(row.rates), marked


def _rates(rates: Rates) -> tuple[str, ...]:
    per_s = (f"{rate:.1f}" for rate in (rates.windows_per_s, rates.slowest_per_s, rates.fastest_per_s))
    return *per_s, f"{rates.ratio:.2f}"


def _soak_row(check: SoakCheck) -> tuple[str, ...]:
    return check.name, check.found, check.allowed, {True: "passed", False: "FAILED", None: "-"}[check.passed]


def _events_row(row: EventsRow) -> tuple[str, ...]:
    scores = row.scores
    counts = (str(count) for count in (row.hop_s, scores.references, scores.detections))
    f1 = (f"{value:.3f}" for value in (*scores.onset_f1, *scores.offset_f1))
    delays = (
        f"{np.percentile(each, share):.2f}" if each else ""
        for each in (scores.onset_delays_s, scores.offset_delays_s)
        for share in (50, 90)
    )
    return "fitted to others" if row.fitted_to_others else "fitted to all", *counts, *f1, *delays


_TABLES: Final[dict[type[Result], Callable[[Any, str], Table]]] = {
    LatencyResult: _latency,
    ThroughputResult: _throughput,
    SoakResult: _soak,
    CapacityResult: _capacity,
    ComparisonResult: _comparison,
    ProfileResult: _profile,
    EventsResult: _events,
}
