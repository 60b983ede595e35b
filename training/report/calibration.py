"""What calibrating and fitting thresholds is worth, as tables."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from whoplays.models.tables import Table
from whoplays.training.evaluate.calibrate import Calibrated, FitOptions, decide_table, fit_others
from whoplays.training.evaluate.calibration import apply, log_loss, reliability
from whoplays.training.evaluate.results import CalibratedReport
from whoplays.training.evaluate.testset import OTHERS
from whoplays.training.evaluate.thresholds import kind_weights
from whoplays.training.report.tables import share

_TRIED: Final = (
    FitOptions("platt", "f-measure", 1.0),
    FitOptions("platt", "even", 1.0),
    FitOptions("platt", "even", 2.0),
    FitOptions("platt", "exact", 1.0),
    FitOptions("platt", "exact", 2.0),
)


def tables(found: Calibrated) -> Iterator[Table]:
    """What each calibration and each rule for thresholds is worth, the results on all data, and what is kept."""
    yield _calibrations(found)
    yield _rules(found)
    for report in found.reports:
        yield _results(report)
    yield _kept(found)


def _calibrations(found: Calibrated) -> Table:
    """Calibration error and log loss of each method: each run's, fitted on the others."""
    rows = []
    for run in dict.fromkeys(found.predictions.runs.tolist()):
        own = found.predictions.where(found.predictions.runs == run).widest()
        weights = kind_weights(own.sets, OTHERS, 1.0)
        for method in dict.fromkeys(("none", "temperature", "platt", found.options.method)):
            fitted = fit_others(found.predictions, run, FitOptions(method, "f-measure", 1.0))
            calibrated = apply(fitted.calibration, own.probabilities)
            errors = (reliability(calibrated, own.truths, weights).error, log_loss(calibrated, own.truths, weights))
            rows.append((run, method, str(len(calibrated)), *(f"{error:.4f}" for error in errors)))
    title = f"calibration on {found.data}, each run's fitted on the others' predictions"
    return Table(title, ("run", "method"), ("windows", "calibration error", "log loss"), tuple(rows))


def _rules(found: Calibrated) -> Table:
    """What each rule for thresholds does: each run's, fitted on the others; exact match by test set, and overall."""
    table = found.predictions
    runs, scopes, sets = (list(dict.fromkeys(column.tolist())) for column in (table.runs, table.scopes, table.sets))
    rows = []
    for tried in dict.fromkeys((*(each._replace(method=found.options.method) for each in _TRIED), found.options)):
        _, active = decide_table(table, {run: fit_others(table, run, tried) for run in runs})
        exact = ((active == table.truths) | ~table.in_scope).all(axis=1)
        for scope in scopes:
            among = [(table.scopes == scope) & (table.sets == name) for name in sets]
            shares = [float(exact[each].mean()) if each.any() else None for each in among]
            mean = float(np.mean([one for one in shares if one is not None]))
            cost = "" if tried.rule == "f-measure" else f"{tried.false_alarm_cost:g}"
            rows.append((tried.rule, scope, cost, *map(share, (*shares, mean))))
    title = (
        f"exact match on {found.data}, each run's thresholds fitted on the others' predictions; "
        "of other sounds: no label active"
    )
    return Table(title, ("rule", "labels"), ("a false alarm costs", *sets, "mean"), tuple(rows))


def _results(report: CalibratedReport) -> Table:
    rows = (
        (
            each.set,
            each.scope,
            str(each.scores.windows),
            share(each.scores.top1),
            share(each.scores.labels_right),
            share(each.scores.exact_match),
            share(each.scores.macro_f1),
            share(each.scores.mean_average_precision),
            share(each.scores.false_alarm),
        )
        for each in report.results
    )
    title = f"{' + '.join(report.runs)} on {report.data}, calibrated: {report.sources} sources"
    figures = ("windows", "top-1", "labels right", "exact", "macro F1", "mAP", "false alarm")
    return Table(title, ("set", "labels"), figures, tuple(rows))


def _kept(found: Calibrated) -> Table:
    fitted = found.fitted
    columns = {"scale": fitted.calibration.scales, "bias": fitted.calibration.biases, "threshold": fitted.thresholds}
    rows = ((name, *(f"{value:.3f}" for value in values)) for name, values in columns.items())
    return Table("fitted on all predictions", ("",), found.reports[0].labels, tuple(rows))
