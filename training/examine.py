"""From runs and recordings to a table, figures and `metrics.json`."""

from pathlib import Path

import torch
from rich.console import Console

from models.errors import DataError
from training import figures, report
from training.clip import Clip
from training.evaluate import Report, evaluate
from training.fit import keep_freed_memory
from training.library import Library
from training.run import RunFolder


def examine(
    runs: list[RunFolder], clips: list[Clip], library: Library, data: str, out: Path, *, fit: bool, threads: int
) -> None:
    """Evaluate, print the tables, and keep figures and `metrics.json` in the run folder `out`.

    Args:
        fit: fit thresholds; else those count that were fitted before and are kept in `out`, or 0.5.

    Raises:
        DataError: nothing can be judged or kept, or the thresholds were fitted on these very recordings.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    kept = report.read(out / "metrics.json")
    if not fit and any(earlier.fitted and earlier.data == data for earlier in kept):
        raise DataError(f"the thresholds in {out} were fitted on {data}; add --fit-thresholds, or give another --out")
    before = report.thresholds(kept, runs[0].config().recipe.labels)
    found = evaluate(runs, clips, library, data, None if fit else before)
    try:
        _keep(found, runs, out)
    except OSError as error:
        raise DataError(f"{out} cannot keep what was found: {error.strerror}") from error
    console = Console(width=120)
    console.print(report.table(found))
    console.print(report.by_label(found))
    console.print(report.by_source(found))
    console.print(f"kept in {out / 'metrics.json'}")


def _keep(found: Report, runs: list[RunFolder], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    report.keep(found, out / "metrics.json")
    figures.draw_confusions(found, out)
    for run in runs:
        figures.draw_curves(run)
