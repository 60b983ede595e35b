"""From runs and recordings to a table, figures and `metrics.json`."""

from pathlib import Path

import torch
from rich.console import Console

from training import figures, report
from training.clip import Clip
from training.evaluate import evaluate
from training.fit import keep_freed_memory
from training.library import Library
from training.run import RunFolder


def examine(
    runs: list[RunFolder], clips: list[Clip], library: Library, data: str, out: Path, *, fit: bool, threads: int
) -> None:
    """Evaluate, print the tables, and keep figures and `metrics.json` in the run folder `out`.

    Args:
        fit: fit thresholds; else those count that were fitted before and are kept in `out`, or 0.5.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    before = report.thresholds(report.read(out / "metrics.json"), runs[0].config().recipe.labels)
    found = evaluate(runs, clips, library, data, None if fit else before)
    out.mkdir(parents=True, exist_ok=True)
    report.keep(found, out / "metrics.json")
    figures.draw_confusions(found, out)
    for run in runs:
        figures.draw_curves(run)
    console = Console(width=120)
    console.print(report.table(found))
    console.print(report.by_label(found))
    console.print(f"kept in {out / 'metrics.json'}")
