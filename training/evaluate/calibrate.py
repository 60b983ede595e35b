"""Calibration and thresholds, fitted across runs: each run is scored by what fits the predictions of the others."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.models.errors import DataError
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.evaluate.calibration import Calibration, Method, apply, fit
from whoplays.training.evaluate.inference import SetPredictions, infer
from whoplays.training.evaluate.plan import Recordings, make_plan
from whoplays.training.evaluate.predictors import DecisionRule, model_of_runs, shared_recipe
from whoplays.training.evaluate.results import CalibratedReport, CalibratedSetResult, CalibrationRecord
from whoplays.training.evaluate.scores import Probabilities, Thresholds, Truths, score
from whoplays.training.evaluate.store import keep_calibration
from whoplays.training.evaluate.testset import OTHERS, RECORDED, scopes_of
from whoplays.training.evaluate.thresholds import fit_evenly, fit_jointly, fit_thresholds, kind_weights
from whoplays.training.recipes import Recipe
from whoplays.training.run import RunFolder, groups

Rule = Literal["f-measure", "even", "exact"]
_UNFITTED = 0.5


class FitOptions(NamedTuple):
    """What is fitted, and how."""

    method: Method
    rule: Rule
    false_alarm_cost: float
    """What a false alarm on other sounds costs, in sets of instruments that are not exactly right."""

    def __str__(self) -> str:
        cost = f", a false alarm costs {self.false_alarm_cost:g}" if self.rule != "f-measure" else ""
        return f"{self.rule}{cost}"


class Fitted(NamedTuple):
    """A calibration, and thresholds of calibrated probabilities."""

    calibration: Calibration
    thresholds: Thresholds

    def apply(self, probabilities: Probabilities) -> tuple[Probabilities, Truths]:
        """Calibrated probabilities and active labels, `[n, labels]` all."""
        return DecisionRule(self.thresholds, self.calibration).apply(probabilities)


class PredictionTable(NamedTuple):
    """Predictions of several runs, of what each was not trained on; every array has a row for each window."""

    runs: NDArray[np.str_]
    """Whose prediction it is."""
    scopes: NDArray[np.str_]
    sets: NDArray[np.str_]
    blocks: NDArray[np.str_]
    """The groups of recordings that sound in it: windows of the same ones are not independent."""
    probabilities: Probabilities
    truths: Truths
    in_scope: Truths
    """Which labels the scope has, `[windows, labels]`; predictions are for all."""

    def where(self, rows: NDArray[np.bool_]) -> "PredictionTable":
        """Some of the rows."""
        return PredictionTable._make(column[rows] for column in self)

    def widest(self) -> "PredictionTable":
        """The rows of the scope with all labels."""
        return self.where(np.asarray(self.in_scope.all(axis=1)))


class Calibrated(NamedTuple):
    """What calibrating found."""

    predictions: PredictionTable
    data: str
    options: FitOptions
    fitted: Fitted
    """On all predictions."""
    reports: list[CalibratedReport]


class _Predicted(NamedTuple):
    table: PredictionTable
    clips: dict[str, list[Clip]]
    """By run, what it predicts."""


def calibrate(
    runs: list[RunFolder],
    fitting: Recordings,
    evaluating: list[Recordings],
    library: Library,
    out: RunFolder,
    options: FitOptions,
) -> Calibrated:
    """Fit calibration and thresholds, evaluate them, and keep them.

    What is fitted on all predictions goes to `out`; each run's own folder gets what fits the predictions of the others.

    Args:
        fitting: what to fit on; each run is scored by what was fitted on the predictions of the others.
        evaluating: what else to evaluate on, by what was fitted on all predictions.

    Raises:
        DataError: the runs do not go together, fewer than two of them can predict anything, or nothing can be kept.
    """
    recipe = shared_recipe(runs)
    if recipe.task == "single-label":
        raise DataError(f"{recipe.name} names its most probable label always: it has no thresholds to fit")
    found = _predict(runs, fitting, library)
    if len(found.clips) < 2:
        raise DataError("calibrations are fitted across runs: give two or more that held out different folds")
    crossed = {run: fit_others(found.table, run, options) for run in found.clips}
    fitted = fit_table(found.table, options)
    reports = [_report(fitting.name, recipe.labels, found, crossed)]
    for each in evaluating:
        other = _predict(runs, each, library)
        reports.append(_report(each.name, recipe.labels, other, dict.fromkeys(other.clips, fitted)))
    for run in runs:
        if run.name in crossed and run.folder.resolve() != out.folder.resolve():
            clips = {name: own for name, own in found.clips.items() if name != run.name}
            keep_calibration(run, _record(recipe, crossed[run.name], options, fitting.name, clips, []))
    keep_calibration(out, _record(recipe, fitted, options, fitting.name, found.clips, reports))
    return Calibrated(found.table, fitting.name, options, fitted, reports)


def fit_table(table: PredictionTable, options: FitOptions) -> Fitted:
    """What fits these predictions best, each test set counting alike.

    Calibration and F-measures are fitted on the scope of most labels; thresholds for exact matches on every scope, for
    one model is to be right of eleven labels and of four.
    """
    wide = table.widest()
    alike = kind_weights(wide.sets, OTHERS, 1.0)
    calibration = fit(wide.probabilities, wide.truths, alike, options.method)
    thresholds = fit_thresholds(apply(calibration, wide.probabilities), wide.truths, alike)
    if options.rule != "f-measure":
        thresholds = _fit_exact(table, apply(calibration, table.probabilities), thresholds, options)
    return Fitted(calibration, thresholds)


def fit_others(table: PredictionTable, run: str, options: FitOptions) -> Fitted:
    """What fits the predictions of all runs but one: what that one is scored by."""
    return fit_table(table.where(table.runs != run), options)


def decide_table(table: PredictionTable, fitted: dict[str, Fitted]) -> tuple[Probabilities, Truths]:
    """Calibrated probabilities and active labels, `[windows, labels]`, each run's by what was fitted for it."""
    probabilities, active = np.empty_like(table.probabilities), np.empty_like(table.truths)
    for run, own in fitted.items():
        rows = table.runs == run
        probabilities[rows], active[rows] = own.apply(table.probabilities[rows])
    return probabilities, active


def _fit_exact(
    table: PredictionTable, probabilities: Probabilities, start: Thresholds, options: FitOptions
) -> Thresholds:
    """Thresholds for the most windows exactly right, each scope and in it each test set counting alike."""
    wide = table.in_scope.all(axis=1)
    weights = np.zeros(len(probabilities))
    for rows in (wide, ~wide):
        weights[rows] = kind_weights(table.sets[rows], OTHERS, options.false_alarm_cost)
    if options.rule == "even":
        return fit_evenly(probabilities, table.truths, table.in_scope, weights)
    return fit_jointly(probabilities, table.truths, table.in_scope, weights, table.blocks, start)


def _predict(runs: list[RunFolder], recordings: Recordings, library: Library) -> _Predicted:
    """What each run predicts of what it was not trained on; an earlier calibration does not count."""
    model = model_of_runs(runs, np.full(len(shared_recipe(runs).labels), _UNFITTED))
    plan = make_plan([model], recordings.clips, library)
    (predictions,) = infer(plan, only=RECORDED, keep=True)
    names = [fold.predictors[0].name for fold in plan.folds]
    parts = [
        _rows(run, scope, sets, np.array([label in plan.scopes[scope] for label in model.labels]))
        for scope, folds in predictions.items()
        for run, sets in zip(names, folds, strict=True)
        if sets
    ]
    silent = set(names) - {str(part.runs[0]) for part in parts}
    if silent:
        raise DataError(
            f"{recordings.name} holds no window that {min(silent)} can be evaluated on; give other recordings"
        )
    table = PredictionTable._make(np.concatenate(column) for column in zip(*parts, strict=True))
    return _Predicted(table, {run: fold.clips for run, fold in zip(names, plan.folds, strict=True)})


def _rows(run: str, scope: str, sets: SetPredictions, in_scope: NDArray[np.bool_]) -> PredictionTable:
    examples = [(name, example) for name, own in sets.items() for example in own.examples]
    return PredictionTable(
        runs=np.full(len(examples), run),
        scopes=np.full(len(examples), scope),
        sets=np.array([name for name, _ in examples]),
        blocks=np.array([" + ".join(example.groups) for _, example in examples]),
        probabilities=np.concatenate([own.probabilities for own in sets.values()]),
        truths=np.concatenate([own.truths for own in sets.values()]),
        in_scope=np.tile(in_scope, (len(examples), 1)),
    )


def _report(data: str, labels: tuple[str, ...], found: _Predicted, fitted: dict[str, Fitted]) -> CalibratedReport:
    table, clips = found
    probabilities, active = decide_table(table, fitted)
    results = []
    for scope, own_labels in scopes_of(labels).items():
        columns = [labels.index(label) for label in own_labels]
        for name in dict.fromkeys(table.sets[table.scopes == scope].tolist()):
            rows = (table.scopes == scope) & (table.sets == name)
            cells = np.ix_(rows, columns)
            scores = score(probabilities[cells], active[cells], table.truths[cells], own_labels)
            results.append(CalibratedSetResult(set=name, scope=scope, scores=scores))
    return CalibratedReport(
        data=data,
        runs=tuple(clips),
        sources=len({clip.source for own in clips.values() for clip in own}),
        labels=labels,
        results=tuple(results),
    )


def _record(
    recipe: Recipe,
    fitted: Fitted,
    options: FitOptions,
    data: str,
    clips: dict[str, list[Clip]],
    reports: list[CalibratedReport],
) -> CalibrationRecord:
    return CalibrationRecord(
        recipe=recipe.name,
        labels=recipe.labels,
        method=options.method,
        rule=str(options),
        data=data,
        runs=tuple(clips),
        groups=groups([clip for own in clips.values() for clip in own]),
        scales=tuple(fitted.calibration.scales.round(6).tolist()),
        biases=tuple(fitted.calibration.biases.round(6).tolist()),
        thresholds=tuple(fitted.thresholds.round(4).tolist()),
        reports=tuple(reports),
    )
