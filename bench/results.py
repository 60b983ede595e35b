"""The results of measurements, as they are kept in files."""

import os
import sys
from pathlib import Path
from typing import Final

import msgspec

from whoplays.bench.conditions import Conditions
from whoplays.bench.event_scores import EventScores
from whoplays.bench.summary import Summary
from whoplays.models.card import Hysteresis
from whoplays.models.errors import DataError, OptionError


class LatencyResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="bench", tag="latency"):
    """How late windows were received."""

    command: str
    conditions: Conditions
    hop_s: float
    """From the start of one window to the next."""
    cutoff_s: float
    """So long after the last window was due, what had not been received was lost."""
    windows: int
    """Due by the schedule."""
    received: int
    """In time; the times below are theirs."""
    lost: int
    """Due, but not received in time."""
    latency: Summary
    """From the moment the window's last sample was due until another process had received the result."""
    stages: dict[str, Summary]
    """The parts of which each latency is the sum, in order; see `bench.latency.STAGES`."""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How many windows were judged in a second, over the rounds."""

    windows_per_s: float
    """Median over the rounds."""
    slowest_per_s: float
    """In the slowest round."""
    fastest_per_s: float
    ratio: float
    """To the reference: one window at a time on one thread."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One batch size on one number of threads."""

    batch: int
    threads: int
    rates: Rates
    max_abs_diff: float | None
    """Of any probability from the reference's; None if one of them is no number."""
    agrees: bool
    """Whether that is within the tolerance."""


class PeerCell(msgspec.Struct, frozen=True, kw_only=True):
    """Another's tagger, one window at a time on one thread."""

    name: str
    rates: Rates


class ThroughputResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="bench", tag="throughput"):
    """How many windows the recogniser judges in a second."""

    command: str
    conditions: Conditions
    rounds: int
    """In each, every cell had a turn, in a new order."""
    seconds_per_cell: float
    """Over all rounds."""
    tolerance: float
    """The largest difference from the reference's probabilities that is allowed."""
    cells: tuple[Cell, ...]
    peers: tuple[PeerCell, ...] = ()


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a soak is to prove."""

    name: str
    found: str
    allowed: str
    holds: bool | None
    """None if it is only told, or could not be judged."""


class SoakResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="bench", tag="soak"):
    """What became of a daemon with many streams."""

    command: str
    conditions: Conditions
    streams: int
    minutes: float
    loss: float
    """The share of packets that the sender withheld."""
    lag: Summary
    """From the close of a window to the end of its inference, of all windows of all streams."""
    points: tuple[Point, ...]


class EventsRow(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one hysteresis at one hop."""

    hysteresis: Hysteresis | None
    """None: each model's is what fits the concerts of the others."""
    hop_s: int
    scores: EventScores


class EventsResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="bench", tag="events"):
    """How rightly and how soon entering and leaving was told.

    As a run's `hysteresis.json`, `export` takes the hysteresis from it, and the page of accuracy its figures.
    """

    command: str
    conditions: Conditions
    concerts: int
    hysteresis: Hysteresis
    """What fits all of the concerts best."""
    rows: tuple[EventsRow, ...]


Result = LatencyResult | ThroughputResult | SoakResult | EventsResult

_decoder: Final[msgspec.json.Decoder[Result]] = msgspec.json.Decoder(Result)


def check_writable(target: str | None) -> None:
    """Refuse a file that cannot be written, before time is spent on measuring; make its folder if there is none.

    Raises:
        OptionError: it is a folder, or cannot be written.
    """
    if target in (None, "-"):
        return
    if not _can_be_written(Path(target)):
        raise OptionError(f"cannot write a result to {target}; give a file that can be written, or -")


def _can_be_written(path: Path) -> bool:
    """Found out by making the file where there is none: /proc says that it can be written to."""
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
    if target == "-":
        sys.stdout.write(text)
    else:
        Path(target).write_text(text)


def read_result(path: Path) -> Result:
    """Read a result from its file.

    Raises:
        DataError: there is none, or the file is something else.
    """
    try:
        return _decoder.decode(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise DataError(f"{path} is no result of whoplays bench: {error}") from error
