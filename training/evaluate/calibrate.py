"""From runs and recordings they have not heard to a calibration and thresholds for each run."""

from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console

from whoplays.models.errors import DataError
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.evaluate import calibrated
from whoplays.training.evaluate.answers import Sheet, answer, common_recipe, held_out
from whoplays.training.evaluate.calibrated import Calibrated, Marked, Sitting
from whoplays.training.evaluate.calibration import apply
from whoplays.training.evaluate.exam import scopes_of
from whoplays.training.evaluate.fitted import Ask, Fitted, fit_all, fit_others
from whoplays.training.evaluate.scores import score
from whoplays.training.recipes import Recipe
from whoplays.training.report.calibration import tables
from whoplays.training.run import RunFolder


class Material(NamedTuple):
    """Recordings and what they are called."""

    name: str
    clips: list[Clip]


def calibrate(
    runs: list[RunFolder],
    fitting: Material,
    judging: list[Material],
    library: Library,
    out: RunFolder,
    ask: Ask,
    *,
    threads: int,
) -> None:
    """Fit calibration and thresholds, print what they are worth, and keep them.

    What is fitted on all answers goes to `out`; each run's own folder gets what the answers of the others say.

    Args:
        fitting: what to fit on; each run's figures are those of what was fitted on the answers of the others.
        judging: what else to judge, by what was fitted on all answers.

    Raises:
        DataError: the runs do not go together, fewer than two of them can answer, or nothing can be kept.
    """
    torch.set_num_threads(threads)
    recipe = common_recipe(runs)
    labels = recipe.labels
    papers = _papers(runs, fitting, library, labels)
    sheets = [sheet for sat in papers.values() for sheet in sat]
    if len(_widest(papers)) < 2:
        raise DataError("calibrations are fitted across runs: give two or more that held out different folds")
    crossed = {sheet.run: fit_others(sheets, sheet, ask) for sheet in _widest(papers)}
    kept = fit_all(sheets, ask)
    sittings = [judge(fitting.name, labels, papers, crossed)]
    for each in judging:
        found = _papers(runs, each, library, labels)
        sittings.append(judge(each.name, labels, found, {sheet.run: kept for sheet in _widest(found)}))
    for run in runs:
        if run.name in crossed and run.folder.resolve() != out.folder.resolve():
            others = [sheet for sheet in _widest(papers) if sheet.run != run.name]
            calibrated.keep(run, _record(recipe, crossed[run.name], ask, fitting.name, others, []))
    calibrated.keep(out, _record(recipe, kept, ask, fitting.name, _widest(papers), sittings))
    console = Console(width=120, markup=False)
    for table in tables(papers, fitting.name, ask, kept, sittings):
        console.print(table)
    console.print(f"kept in {out.folder / 'calibration.json'}", highlight=False, soft_wrap=True)


def judge(data: str, labels: tuple[str, ...], papers: dict[str, list[Sheet]], fitted: dict[str, Fitted]) -> Sitting:
    """Every set of every exam, by each run's calibration and thresholds.

    Args:
        labels: of the runs, in output order.
        papers: each run's answers, by the exam's scope.
        fitted: what each run is judged by.
    """
    whole = _widest(papers)
    return Sitting(
        data=data,
        runs=tuple(sheet.run for sheet in whole),
        sources=len(frozenset().union(*(sheet.sources for sheet in whole))),
        labels=labels,
        judgements=tuple(
            _mark(scope, kind, sheets, fitted, labels)
            for scope, sheets in papers.items()
            for kind in dict.fromkeys(str(kind) for sheet in sheets for kind in sheet.kinds)
        ),
    )


def _mark(scope: str, kind: str, sheets: list[Sheet], fitted: dict[str, Fitted], labels: tuple[str, ...]) -> Marked:
    asked = scopes_of(labels)[scope]
    columns = np.flatnonzero(sheets[0].asked)
    told, named, truths = [], [], []
    for sheet in sheets:
        rows = sheet.kinds == kind
        calibration, thresholds = fitted[sheet.run]
        told.append(apply(calibration, sheet.probabilities[rows])[:, columns])
        named.append(told[-1] >= thresholds[columns])
        truths.append(sheet.truths[rows][:, columns])
    scores = score(np.concatenate(told), np.concatenate(named), np.concatenate(truths), asked)
    return Marked(set=kind, scope=scope, scores=scores)


def _papers(
    runs: list[RunFolder], material: Material, library: Library, labels: tuple[str, ...]
) -> dict[str, list[Sheet]]:
    shares = held_out(runs, material.clips)
    return {
        scope: [answer(run, share, asked, library) for run, share in shares]
        for scope, asked in scopes_of(labels).items()
    }


def _widest(papers: dict[str, list[Sheet]]) -> list[Sheet]:
    """The answers to the exam of most labels, one sheet a run."""
    return papers[next(reversed(papers))]


def _record(
    recipe: Recipe, fitted: Fitted, ask: Ask, data: str, sheets: list[Sheet], sittings: list[Sitting]
) -> Calibrated:
    cost = f", a false alarm costs {ask.false_alarm_cost:g}" if ask.rule != "f-measure" else ""
    return Calibrated(
        recipe=recipe.name,
        labels=recipe.labels,
        method=ask.method,
        rule=f"{ask.rule}{cost}",
        data=data,
        runs=tuple(sheet.run for sheet in sheets),
        groups=tuple(sorted(frozenset().union(*(sheet.groups for sheet in sheets)))),
        scales=tuple(fitted.calibration.scales.round(6).tolist()),
        biases=tuple(fitted.calibration.biases.round(6).tolist()),
        thresholds=tuple(fitted.thresholds.round(4).tolist()),
        sittings=tuple(sittings),
    )
