"""From candidates and recordings to tables, figures, `metrics.json` and a page."""

import sys
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import torch
from rich.console import Console

from whoplays.models.errors import DataError
from whoplays.training.console import NOTES, counted, keep_freed_memory
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.evaluate import calibrated, report
from whoplays.training.evaluate.conditions import Condition
from whoplays.training.evaluate.evaluate import evaluate
from whoplays.training.evaluate.findings import Report
from whoplays.training.evaluate.lineup import Entries, line_up, runs_of
from whoplays.training.evaluate.scores import Thresholds
from whoplays.training.report import accuracy as page
from whoplays.training.report import plots as figures
from whoplays.training.report import tables as report_tables
from whoplays.training.report.events import read_concerts
from whoplays.training.run import RunFolder

_WIDTH: Final = 160


class Wishes(NamedTuple):
    """What is wanted besides the figures of every set."""

    fit: bool
    """Fit thresholds; else those count that were fitted before and are kept in `out`, or 0.5.

    A model has its own, and so have runs that were calibrated.
    """
    conditions: tuple[Condition, ...] = ()
    page: Path | None = None
    """Where the report goes that people read."""
    command: str = ""
    """What was typed, for the report."""


def examine(
    entries: Entries, clips: list[Clip], library: Library, data: str, out: Path, wishes: Wishes, *, threads: int
) -> None:
    """Evaluate, print the tables, and keep figures and `metrics.json` in the folder `out`.

    Raises:
        DataError: nothing can be judged or kept, or the thresholds were fitted on these very recordings.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    runs = runs_of(entries.judged)
    own = _thresholds(runs, out, data, clips, fit=wishes.fit)
    found = evaluate(
        line_up(entries, own, data, clips, threads),
        clips,
        library,
        data,
        fit=wishes.fit,
        halve=bool(entries.peers) or not runs,
        conditions=wishes.conditions,
        say=NOTES.print,
    )
    found = msgspec.structs.replace(found, command=wishes.command)
    try:
        _keep(found, out, wishes.page)
    except OSError as error:
        raise DataError(f"{error.filename or out} cannot keep what was found: {error.strerror}") from error
    _show(found)
    kept = [out / "metrics.json", *([wishes.page] if wishes.page else [])]
    Console(markup=False, highlight=False, soft_wrap=True).print(f"kept in {' and '.join(map(str, kept))}")


def _thresholds(runs: list[RunFolder], out: Path, data: str, clips: list[Clip], *, fit: bool) -> Thresholds | None:
    """What `out` keeps for a run, or 0.5 each; None for a model. They do not count where the runs were calibrated."""
    if not runs:
        return None
    kept = report.read(out / "metrics.json")
    if not fit and report.fitted_on(kept, data, clips) and not calibrated.read_all(runs):
        raise DataError(
            f"the thresholds in {out} were fitted on {data}, or some of it; add --fit-thresholds, or give another --out"
        )
    return report.thresholds(kept, runs[0].config().recipe)


def _keep(found: Report, out: Path, path: Path | None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    report.keep(found, out / "metrics.json")
    figures.draw_all(found, out)
    if path:
        told = [kept for kept in report.read(out / "metrics.json") if kept.command]
        page.write(told, path, read_concerts(out / "hysteresis.json"))


def _show(found: Report) -> None:
    """Draw the tables: as wide as the terminal allows, or as they are where there is none."""
    console = Console(width=None if sys.stdout.isatty() else _WIDTH, markup=False)
    for grid in report_tables.tables(found):
        console.print(*grid.drawn(console.width))
    console.print(report_tables.LEGEND)
    if found.left_out:
        console.print(f"left out: {counted(found.left_out, 'recording')} that someone judged here has heard")
    for remark in found.remarks:
        console.print(remark)
