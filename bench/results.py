"""The results of measurements, as they are kept in files: the fields' names in JSON are those of version 0.1.0."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from whoplays.bench.conditions import Conditions
from whoplays.bench.intervals import Interval, RatioEstimate, quantile_interval
from whoplays.models.errors import DataError, OptionError
from whoplays.models.event_scores import EventSettings, EventsRow


class Summary(msgspec.Struct, frozen=True):
    """Percentiles by nearest rank: each is a time that was really measured."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    count: int = 0
    """How many times these are of; 0 if that was not kept."""
    p50_interval: Interval | None = None
    """In ms, at 95 %; None if there were too few times for it."""
    p90_interval: Interval | None = None
    p99_interval: Interval | None = None

    @property
    def intervals(self) -> tuple[Interval | None, ...]:
        """Of the percentiles, in their order."""
        return self.p50_interval, self.p90_interval, self.p99_interval


def summarize(times_ns: Sequence[int]) -> Summary:
    """The distribution of one or more times, given in ns.

    >>> summarize([1_000_000, 3_000_000, 2_000_000]).p90_ms
    3.0
    """
    found_ns = np.percentile(times_ns, (50, 90, 99, 100), method="inverted_cdf")
    p50, p90, p99, longest = (found_ns / 1e6).tolist()
    times_ms = np.asarray(times_ns) / 1e6
    intervals = (quantile_interval(times_ms, share) for share in (0.5, 0.9, 0.99))
    return Summary(p50, p90, p99, longest, len(times_ms), *intervals)


def histogram(times_ns: Sequence[int]) -> dict[str, int]:
    """How often each time occurs, in ms to three significant digits: what is kept where times are too many.

    >>> histogram([1_000_499, 999_800, 25_000_000])
    {'1': 2, '25': 1}
    """
    found, counts = np.unique([float(f"{time_ns / 1e6:.3g}") for time_ns in times_ns], return_counts=True)
    return {f"{value:g}": int(count) for value, count in zip(found, counts, strict=True)}


class LatencyResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="bench", tag="latency"):
    """From the moment a window is due until its message is received."""

    command: str
    conditions: Conditions
    source: str = "pipe"
    """The kind of source that the streams have."""
    streams: int = 1
    hop_s: float
    """From the start of one window to the next."""
    cutoff_s: float
    """A window that is not received within this time after the last one was due is lost."""
    windows: int
    """Due by the schedule, of all streams."""
    received: int
    """Before the cut-off; the times below are of these."""
    lost: int
    """Due, but not received before the cut-off."""
    overload: int = 0
    """Of these, how many were given up because inference could not keep up."""
    latency: Summary
    """From the moment the window's last sample was due until another process had received the result."""
    stages: dict[str, Summary]
    """The parts of which each latency is the sum, in order; see `bench.latency.STAGES`."""
    samples_us: dict[str, list[int]] = {}
    """What `latency` and `stages` are made of, window by window as they were received; `latency` is the sum."""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Windows recognised in a second, over the rounds."""

    windows_per_s: float
    """Median over the rounds."""
    slowest_per_s: float
    """In the slowest round."""
    fastest_per_s: float
    ratio: float
    """To the reference: one window at a time on one thread."""
    rounds: tuple[float, ...] = ()
    """Windows a second in each round."""


class ThroughputRow(msgspec.Struct, frozen=True, kw_only=True):
    """One batch size on one number of threads."""

    batch: int
    threads: int
    rates: Rates
    max_abs_diff: float | None
    """Of any probability from the reference's; None if one of them is not a number."""
    agrees: bool
    """Whether that is within the tolerance."""


class BaselineRow(msgspec.Struct, frozen=True, kw_only=True):
    """A published tagger, one window at a time on one thread."""

    name: str
    rates: Rates


class ThroughputResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="bench", tag="throughput"):
    """How many windows are recognised in a second."""

    command: str
    conditions: Conditions
    rounds: int
    """In each, every row has a turn, in a new order."""
    seconds_per_cell: float
    """Over all rounds."""
    tolerance: float
    """The largest difference from the reference's probabilities that is allowed."""
    rows: tuple[ThroughputRow, ...] = msgspec.field(name="cells")
    baselines: tuple[BaselineRow, ...] = msgspec.field(name="peers", default=())


class SoakCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement on the daemon."""

    name: str
    found: str
    allowed: str
    passed: bool | None = msgspec.field(name="holds")
    """None if there is no limit, or the run was too short."""


class SoakResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="bench", tag="soak"):
    """What a daemon with many streams accounted for, and whether it grew."""

    command: str
    conditions: Conditions
    streams: int
    minutes: float
    loss: float
    """The share of packets that the sender withheld."""
    lag: Summary
    """From the close of a window to the end of its inference, of all windows of all streams."""
    lags_ms: dict[str, int] = {}
    """How often each lag occurred, to three significant digits."""
    checks: tuple[SoakCheck, ...] = msgspec.field(name="points")

    @property
    def failures(self) -> list[SoakCheck]:
        """The checks that failed."""
        return [check for check in self.checks if check.passed is False]


class LoadUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a run took, from its first sample to its last, in cores: 1 is one core all the time."""

    daemon: float
    busiest_thread: float
    """Of the daemon's threads."""
    sender: float
    machine: float
    """All that ran on it."""
    rss_mib: float
    """Of the daemon, at the end."""
    available_mib: float
    """What the machine has left, at the end."""


class CapacityStep(msgspec.Struct, frozen=True, kw_only=True):
    """One number of streams."""

    streams: int
    latency: Summary
    """From when a window's last sample was due until it was received, of all streams."""
    samples_us: list[int]
    """What it is made of."""
    lost_windows: int
    overload: int
    """Windows that the daemon says it gave up."""
    lost_samples: int
    """That the daemon missed or invented."""
    sender_late_ms: float
    """p99 of how late the sender was."""
    usage: LoadUsage
    passed: bool
    """Nothing is lost, and the p99 is within the budget."""


class CapacityResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="bench", tag="capacity"):
    """How many streams a daemon carries."""

    command: str
    conditions: Conditions
    source: str
    hop_s: float
    budget_ms: float
    packet_ms: float
    most_streams: int
    """0 if not even one passed."""
    ran_out: str
    """Why more did not pass, in words."""
    recovery_s: float | None
    """How long after an overload of twice as many streams half of them were late; None if to the end, or not tried."""
    steps: tuple[CapacityStep, ...]


class ProfileResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="bench", tag="profile"):
    """Where the time of a window goes."""

    command: str
    conditions: Conditions
    source: str
    streams: int
    hop_s: float
    overload: int
    """Windows that the daemon gave up."""
    samples_us: dict[str, list[int]]
    """Of each stage, window by window; see `bench.latency.STAGES`."""
    usage: LoadUsage


class ComparisonResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="bench", tag="comparison"):
    """How much time B takes beside A."""

    command: str
    conditions: Conditions
    what: str
    """The time that was measured."""
    first: str
    """A."""
    second: str
    """B."""
    rounds_ms: tuple[list[list[float]], list[list[float]]]
    """Of A and of B the times of each round."""
    time_ratio: RatioEstimate


class EventsResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="bench", tag="events"):
    """How well and how soon onsets and offsets are detected.

    As a run's `events.json`, `export` takes the settings from it, and the page of accuracy its figures.
    """

    command: str
    conditions: Conditions
    concerts: int
    settings: EventSettings
    """Those that are fitted to all of the concerts."""
    rows: tuple[EventsRow, ...]


Result = (
    LatencyResult | ThroughputResult | SoakResult | CapacityResult | ComparisonResult | ProfileResult | EventsResult
)

_NUMBERS: Final = re.compile(r"\[[\d\s.,e+-]*\]")
"""An array of numbers, which stands in one line."""
_decoder: Final[msgspec.json.Decoder[Result]] = msgspec.json.Decoder(Result)


def check_writable(target: str | None) -> None:
    """Refuse a file that cannot be written before time is spent on measuring; make its folder if there is none.

    Raises:
        OptionError: it is a folder, or cannot be written.
    """
    if target is not None and target != "-" and not _is_writable(Path(target)):
        raise OptionError(f"cannot write a result to {target}; give a file that can be written, or -")


def _is_writable(path: Path) -> bool:
    """Tried by making the file where there is none: /proc claims to be writable."""
    try:
        if path.exists():
            return not path.is_dir() and os.access(path, os.W_OK)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        path.unlink()
    except OSError:
        return False
    return True


def write_result(result: Result, target: str) -> None:
    """Write a result as indented JSON to a file, or to standard output if the target is `-`."""
    text = msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n"
    text = _NUMBERS.sub(lambda found: "".join(found[0].split()).replace(",", ", "), text)
    if target == "-":
        sys.stdout.write(text)
    else:
        Path(target).write_text(text)


def read_result(path: Path) -> Result:
    """Read a result from its file.

    Raises:
        DataError: there is no such file, or it holds something else.
    """
    try:
        return _decoder.decode(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise DataError(f"{path} is not a result of whoplays bench: {error}") from error
