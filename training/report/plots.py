"""Plots as PNG: loss curves of a run; of a report, confusion matrices, reliability, and robustness."""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from whoplays.training.evaluate.calibration import pooled
from whoplays.training.evaluate.results import Report, SetResult
from whoplays.training.report.tables import robustness
from whoplays.training.run import RunFolder

_MOST_COLUMNS: Final = 16


def draw_curves(run: RunFolder) -> Path | None:
    """Draw every figure that training logged by epoch, or nothing where nothing was logged."""
    if not run.logs:
        return None
    figure, axes = _axes(8, 4.5)
    for name, points in sorted(_logged(run.logs).items()):
        axes.plot([epoch for epoch, _ in points], [value for _, value in points], marker="o", markersize=3, label=name)
    axes.set_xlabel("epoch")
    axes.set_title(run.name)
    axes.legend()
    return _save(figure, run.folder / "curves.png")


def draw_confusions(report: Report, folder: Path) -> list[Path]:
    """Draw one confusion matrix for solos and one for pairs, of the widest scope."""
    widest = {result.set: result for result in report.results}
    return [
        _draw_confusion(widest[name], folder / f"confusion-{name}-{_stem(report)}.png")
        for name in ("solos", "pairs")
        if name in widest
    ]


def draw_all(report: Report, folder: Path) -> list[Path]:
    """Draw everything there is to draw of a report."""
    robust = draw_robustness(report, folder)
    return [*draw_confusions(report, folder), draw_reliability(report, folder), *([robust] if robust else [])]


def draw_reliability(report: Report, folder: Path) -> Path:
    """Draw how often what was given a probability came true, for every model: each set of the first scope alike."""
    figure, axes = _axes(5, 5)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for one in report.models:
        scope = one.results[0].scope
        sets = [each.reliability for each in one.results if each.scope == scope and each.set != "silence"]
        bins = pooled(one for one in sets if one)
        filled = [k for k, count in enumerate(bins.counts) if count]
        axes.plot(
            [bins.predicted[k] for k in filled],
            [bins.came_true[k] for k in filled],
            marker="o",
            markersize=4,
            label=f"{one.name} ({bins.error:.3f})",
        )
    axes.set_xlabel("probability given")
    axes.set_ylabel("share that plays")
    axes.set_title(f"reliability on {report.data} (expected calibration error)", fontsize=10)
    axes.legend(fontsize=8)
    return _save(figure, folder / f"reliability-{_stem(report)}.png")


def draw_robustness(report: Report, folder: Path) -> Path | None:
    """Draw every model's mAP of pairs under each condition, or nothing where none was asked for."""
    if not report.under_conditions:
        return None
    rows = [(condition, one.name, figures[1]) for condition, one, figures in robustness(report)]
    conditions = list(dict.fromkeys(condition for condition, _, _ in rows))
    names = list(dict.fromkeys(name for _, name, _ in rows))
    figure, axes = _axes(8, 1 + 0.16 * len(conditions) * (len(names) + 1))
    height = 0.8 / len(names)
    for place, name in enumerate(names):
        shares = [share or 0.0 for _, who, share in rows if who == name]
        axes.barh([row + place * height for row in range(len(conditions))], shares, height, label=name)
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(conditions))], conditions)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("mAP of pairs")
    axes.set_title(f"under conditions, on {report.data}")
    axes.legend(fontsize=8, loc="lower left")
    return _save(figure, folder / f"robustness-{_stem(report)}.png")


def _stem(report: Report) -> str:
    return report.data.replace(" ", "-").replace("/", "-")


def _draw_confusion(result: SetResult, path: Path) -> Path:
    rows = sorted(result.confusion)
    totals: dict[str, int] = defaultdict(int)
    for counts in result.confusion.values():
        for predicted, count in counts.items():
            totals[predicted] += count
    columns = sorted({*rows, *totals}, key=lambda name: (name not in rows, -totals[name], name))
    columns = columns[: max(_MOST_COLUMNS, len(rows))]
    shares = np.array([[result.confusion[row].get(column, 0) for column in columns] for row in rows], float)
    shares /= np.array([[sum(result.confusion[row].values())] for row in rows])
    names = 0.07 * max(map(len, columns))  # inches
    figure, axes = _axes(2 + names + 0.45 * len(columns), 1.5 + names + 0.35 * len(rows))
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
    axes.set_xlabel("predicted")
    axes.set_ylabel("played")
    axes.set_title(f"{result.set}, {result.scope} labels: {result.scores.windows} windows")
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


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=130)
    return path
