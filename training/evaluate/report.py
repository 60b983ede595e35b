"""Reports in a run's `metrics.json`, and what of them is shown to people: rows, row by row."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from whoplays.models.errors import DataError, OptionError
from whoplays.training.data.clip import Clip
from whoplays.training.evaluate.findings import Hearing, Interval, Judgement, Report
from whoplays.training.evaluate.scores import Thresholds
from whoplays.training.files import write_json
from whoplays.training.recipes import Recipe
from whoplays.training.run import RunFolder

_FIGURES: Final = {
    "top1": "top-1",
    "labels_right": "labels right",
    "exact_match": "exact",
    "mean_average_precision": "mAP",
    "false_alarm": "false alarm",
}


def keep(report: Report, path: Path) -> None:
    """Put a report into `metrics.json`, in place of an earlier one on the same data."""
    reports = [kept for kept in read(path) if kept.data != report.data]
    write_json(path, [*reports, report])


def read(path: Path) -> list[Report]:
    """The reports in a `metrics.json`; none where there is no such file.

    Raises:
        DataError: the file holds anything else.
    """
    if not path.is_file():
        return []
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Report])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} holds no reports ({error}); delete it and evaluate again") from error


def of_recipe(reports: list[Report], recipe: Recipe) -> list[Report]:
    """Those in which runs of this recipe were judged: a run's folder may hold others."""
    return [report for report in reports if (report.recipe, report.labels) == (recipe.name, recipe.labels)]


def thresholds(reports: list[Report], recipe: Recipe) -> Thresholds:
    """Those of the latest report on runs of a recipe, or 0.5 each; once fitted they stay until fitted again."""
    known = of_recipe(reports, recipe)
    return np.array(known[-1].thresholds if known else (0.5,) * len(recipe.labels))


def fitted_on(reports: list[Report], data: str, clips: Iterable[Clip]) -> bool:
    """Whether thresholds were fitted on this very data or some of these recordings, so that they say nothing of it."""
    asked = {clip.group for clip in clips}
    return any(report.fitted and (report.data == data or asked & {*report.fitted_groups}) for report in reports)


def refuse_judged(run: RunFolder) -> None:
    """See that a run of which figures are kept is not trained on: they would be of another network.

    Raises:
        OptionError: there are such.
    """
    path = run.folder / "metrics.json"
    if any(run.name in report.runs for report in read(path)):
        raise OptionError(
            f"{run.folder} was judged as it is ({path}); delete that file to train on, or choose another --out"
        )


def everybody(report: Report) -> list[Report]:
    """The report of the first, and of all others who answered the same questions."""
    return [report, *report.against]


def answered(report: Report) -> list[tuple[Report, Judgement]]:
    """Every judgement with whose it is: set by set, so that those who answered the same questions are together."""
    each = [(one, judgement) for one in everybody(report) for judgement in one.judgements]
    sets = list(dict.fromkeys((judgement.scope, judgement.set) for _, judgement in each))
    return sorted(each, key=lambda pair: sets.index((pair[1].scope, pair[1].set)))


def robustness(report: Report) -> list[tuple[str, Report, tuple[float | None, ...]]]:
    """By condition and who was judged: top-1 of solos, mAP and exact match of pairs, false alarms of other sounds.

    The first condition is none. Exact match and false alarms are by tuned thresholds where there are such.
    """
    rows = []
    for condition in ("as it is", *dict.fromkeys(hearing.condition for hearing in report.hearings)):
        for one in everybody(report):
            scope = one.judgements[0].scope
            sets: dict[str, Judgement | Hearing] = {
                **{each.set: each for each in one.judgements if condition == "as it is" and each.scope == scope},
                **{each.set: each for each in one.hearings if each.condition == condition and each.scope == scope},
            }
            rows.append((condition, one, _robust(sets)))
    return rows


def _robust(sets: Mapping[str, Judgement | Hearing]) -> tuple[float | None, ...]:
    solos, pairs, others = (sets.get(name) for name in ("solos", "pairs", "other sounds"))
    return (
        solos.scores.top1 if solos else None,
        pairs.scores.mean_average_precision if pairs else None,
        (pairs.tuned or pairs.scores).exact_match if pairs else None,
        (others.tuned or others.scores).false_alarm if others else None,
    )


def differences(report: Report) -> list[tuple[str, ...]]:
    """By figure, labels and whom to: how much higher the first is by own thresholds, and by tuned ones."""
    order = list(dict.fromkeys((each.scope, each.set, each.figure) for each in report.differences))
    return [
        (
            f"{each.set}: {_FIGURES[each.figure]}",
            each.scope,
            each.other,
            _gap(each.own, each.own_interval),
            _gap(each.tuned, each.tuned_interval),
        )
        for each in sorted(report.differences, key=lambda one: order.index((one.scope, one.set, one.figure)))
    ]


def _gap(difference: float | None, interval: Interval | None) -> str:
    if difference is None or interval is None:
        return "" if difference is None else f"{difference:+.3f}"
    return f"{difference:+.3f} [{interval[0]:+.2f}, {interval[1]:+.2f}]"


def share(figure: float | None) -> str:
    """A share as it is printed, nothing where there is none."""
    return "" if figure is None else f"{figure:.3f}"
