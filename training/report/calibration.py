"""What calibrating and fitting thresholds is worth, as tables."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from rich.table import Table

from whoplays.training.evaluate.answers import Sheet
from whoplays.training.evaluate.calibrated import Sitting
from whoplays.training.evaluate.calibration import apply, log_loss
from whoplays.training.evaluate.fitted import OTHERS, Ask, Fitted, fit_others
from whoplays.training.evaluate.reliability import reliability
from whoplays.training.evaluate.thresholds import kind_weights

_TRIED: Final = (
    Ask("platt", "f-measure", 1.0),
    Ask("platt", "even", 1.0),
    Ask("platt", "even", 2.0),
    Ask("platt", "exact", 1.0),
    Ask("platt", "exact", 2.0),
)


def tables(
    papers: dict[str, list[Sheet]], data: str, ask: Ask, kept: Fitted, sittings: list[Sitting]
) -> Iterator[Table]:
    """What each calibration and each rule for thresholds is worth, how every exam went, and what is kept."""
    yield _calibrations(papers[next(reversed(papers))], data, ask)
    yield _rules(papers, data, ask)
    for sitting in sittings:
        yield _sitting(sitting)
    yield _kept(kept, sittings[0].labels)


def _calibrations(sheets: list[Sheet], data: str, ask: Ask) -> Table:
    """What calibrating does: each run's by the answers of the others."""
    title = f"calibration on {data}, each run's fitted on the others' answers"
    grid = _grid(title, "run", "method", "windows", "calibration error", "log loss")
    for sheet in sheets:
        weights = kind_weights(sheet.kinds, OTHERS, 1.0)
        for method in dict.fromkeys(("none", "temperature", "platt", ask.method)):
            told = apply(fit_others(sheets, sheet, Ask(method, "f-measure", 1.0)).calibration, sheet.probabilities)
            figures = (reliability(told, sheet.truths, weights).error, log_loss(told, sheet.truths, weights))
            grid.add_row(sheet.run, method, str(len(told)), *(f"{figure:.4f}" for figure in figures))
    return grid


def _rules(papers: dict[str, list[Sheet]], data: str, ask: Ask) -> Table:
    """What each rule for thresholds does: each run's by the answers of the others; exact match by kind, and overall."""
    sheets = [sheet for sat in papers.values() for sheet in sat]
    kinds = list(dict.fromkeys(str(kind) for sheet in sheets for kind in sheet.kinds))
    title = (
        f"exact match on {data}, each run's thresholds fitted on the others' answers; of other sounds: nothing named"
    )
    grid = _grid(title, "rule", "labels", "a false alarm costs", *kinds, "mean")
    for tried in dict.fromkeys((*(each._replace(method=ask.method) for each in _TRIED), ask)):
        fitted = {sheet.run: fit_others(sheets, sheet, tried) for sheet in papers[next(iter(papers))]}
        for scope, sat in papers.items():
            shares = [_exact(sat, fitted, kind) for kind in kinds]
            told = "" if tried.rule == "f-measure" else f"{tried.false_alarm_cost:g}"
            mean = float(np.mean([share for share in shares if share is not None]))
            shown = ("" if share is None else f"{share:.3f}" for share in (*shares, mean))
            grid.add_row(tried.rule, scope, told, *shown)
    return grid


def _exact(sheets: list[Sheet], fitted: dict[str, Fitted], kind: str) -> float | None:
    """The share of one kind of windows with every label right, over all runs; None where there is no such window."""
    found = []
    for sheet in sheets:
        rows = sheet.kinds == kind
        calibration, thresholds = fitted[sheet.run]
        right = (apply(calibration, sheet.probabilities[rows]) >= thresholds) == sheet.truths[rows]
        found.append(right[:, sheet.asked].all(axis=1))
    exact = np.concatenate(found)
    return float(exact.mean()) if exact.size else None


def _sitting(sitting: Sitting) -> Table:
    title = f"{' + '.join(sitting.runs)} on {sitting.data}, calibrated: {sitting.sources} sources"
    headings = ("windows", "top-1", "labels right", "exact", "macro F1", "mAP", "false alarm")
    grid = _grid(title, "set", "labels", *headings)
    for marked in sitting.judgements:
        found = marked.scores
        figures = (
            found.top1,
            found.labels_right,
            found.exact_match,
            found.macro_f1,
            found.mean_average_precision,
            found.false_alarm,
        )
        shown = ("" if figure is None else f"{figure:.3f}" for figure in figures)
        grid.add_row(marked.set, marked.scope, str(found.windows), *shown)
    return grid


def _kept(kept: Fitted, labels: tuple[str, ...]) -> Table:
    grid = _grid("fitted on all answers", "", "", *labels)
    rows = (("scale", kept.calibration.scales), ("bias", kept.calibration.biases), ("threshold", kept.thresholds))
    for name, values in rows:
        grid.add_row(name, "", *(f"{value:.3f}" for value in values))
    return grid


def _grid(title: str, first: str, second: str, *figures: str) -> Table:
    grid = Table(title=title, title_justify="left", box=None, header_style="bold")
    grid.add_column(first)
    grid.add_column(second)
    for heading in figures:
        grid.add_column(heading, justify="right")
    return grid
