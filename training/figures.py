"""Figures of a run: loss curves and confusion matrices, as PNG."""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training.evaluate import Judgement, Report
from training.run import RunFolder

_MOST_COLUMNS: Final = 16


def draw_curves(run: RunFolder) -> Path | None:
    """Draw every figure that training logged by epoch, or nothing where nothing was logged."""
    if not run.logs:
        return None
    figure, axes = _sheet(8, 4.5)
    for name, points in sorted(_logged(run.logs).items()):
        axes.plot([epoch for epoch, _ in points], [value for _, value in points], marker="o", markersize=3, label=name)
    axes.set_xlabel("epoch")
    axes.set_title(run.name)
    axes.legend()
    return _save(figure, run.folder / "curves.png")


def draw_confusions(report: Report, folder: Path) -> list[Path]:
    """Draw one confusion matrix for solos and one for pairs, of the widest scope judged."""
    widest = {judgement.set: judgement for judgement in report.judgements}
    stem = report.data.replace(" ", "-").replace("/", "-")
    return [
        _draw_confusion(widest[name], folder / f"confusion-{name}-{stem}.png")
        for name in ("solos", "pairs")
        if name in widest
    ]


def _draw_confusion(judgement: Judgement, path: Path) -> Path:
    rows = sorted(judgement.confusion)
    totals: dict[str, int] = defaultdict(int)
    for counts in judgement.confusion.values():
        for heard, count in counts.items():
            totals[heard] += count
    columns = sorted({*rows, *totals}, key=lambda heard: (heard not in rows, -totals[heard], heard))
    columns = columns[: max(_MOST_COLUMNS, len(rows))]
    shares = np.array([[judgement.confusion[row].get(column, 0) for column in columns] for row in rows], float)
    shares /= np.array([[sum(judgement.confusion[row].values())] for row in rows])
    figure, axes = _sheet(2 + 0.45 * len(columns), 1.5 + 0.35 * len(rows))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:
            axes.text(
                column,
                row,
                f"{share:.2f}",
                ha="center",
                va="center",
                fontsize=7,
                color="white" if share > 0.6 else "black",
            )
    axes.set_xticks(range(len(columns)), columns, rotation=90)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xlabel("heard")
    axes.set_ylabel("played")
    axes.set_title(f"{judgement.set}, {judgement.scope} labels: {judgement.scores.windows} windows")
    return _save(figure, path)


def _logged(logs: list[Path]) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for row in (row for log in logs for row in _rows(log)):
        for name, value in row.items():
            if value and name not in {"epoch", "step"}:
                curves[name].append((int(row["epoch"]), float(value)))
    return {name: sorted(points) for name, points in curves.items()}


def _rows(log: Path) -> list[dict[str, str]]:
    with log.open(newline="") as file:
        return list(csv.DictReader(file))


def _sheet(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=130)
    return path
