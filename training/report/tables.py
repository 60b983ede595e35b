"""Evaluation reports as tables, for the terminal and the accuracy page alike."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

from whoplays.models.tables import Table
from whoplays.training.console import counted
from whoplays.training.evaluate.results import ConditionResult, Report, SetResult
from whoplays.training.evaluate.scores import Interval

LEGEND: Final = (
    "right: labels, one by one; exact: windows with every label right; alarm: a label active where none plays; "
    "tuned: at thresholds that fit other recordings"
)
_METRICS: Final = {
    "top1": "top-1",
    "labels_right": "labels right",
    "exact_match": "exact",
    "mean_average_precision": "mAP",
    "false_alarm": "false alarm",
}


class _Published(NamedTuple):
    """What others published on IRMAS' test parts."""

    who: str
    micro_f1: str
    macro_f1: str


_PUBLISHED: Final = (
    _Published("Han et al. 2017", ".602", ".503"),
    _Published("Zhong et al. 2023", ".674-.682", ""),
    _Published("PaSST with mixing", ".688", ".617"),
)


def tables(report: Report) -> Iterator[Table]:
    """All that a report holds."""
    yield by_set(report)
    yield by_label(report)
    if any(result.set == "solos" for result in report.results):
        yield by_source(report)
    if report.differences:
        yield compared(report)
    if report.under_conditions:
        yield under_conditions(report)
    if any(one.excerpts for one in report.models):
        yield irmas(report)


def by_set(report: Report) -> Table:
    """Every test set, a row for each model; tuned thresholds are fitted on other folds."""
    counts = f"{counted(report.clips, 'recording')}, {counted(report.sources, 'source')}"
    figures = ("windows", "top-1", "top-k", "mAP", "macro\nF1", "right", "exact", "alarm")
    tuned = ("tuned\nright", "tuned\nexact", "tuned\nalarm")
    return Table(
        f"{report.name} on {report.data}: {counts}",
        _names(report),
        (*figures, *tuned, "ECE"),
        tuple((*_of(report, one, result), *_row(result)) for one, result in by_model(report)),
    )


def by_label(report: Report) -> Table:
    """Label accuracy on every test set, a row for each model."""
    rows = (
        (*_of(report, one, result), *(share(result.scores.label_accuracy.get(label)) for label in report.labels))
        for one, result in by_model(report)
    )
    return Table("label accuracy", _names(report), report.labels, tuple(rows))


def by_source(report: Report) -> Table:
    """Top-1 of solos from each source, a row each, and the mean over the sources."""
    solos = [(one, result) for one, result in by_model(report) if result.set == "solos"]
    columns = (f"{one.name}, {result.scope}" if report.against else result.scope for one, result in solos)
    shares = [result.top1_by_source for _, result in solos]
    sources = sorted({source for by_source in shares for source in by_source})
    rows = [(source, *(share(by_source.get(source)) for by_source in shares)) for source in sources]
    mean = ("mean", *(share(float(np.mean(list(by_source.values())))) for by_source in shares))
    return Table("top-1 of solos by source", ("source",), tuple(columns), (*rows, mean))


def under_conditions(report: Report) -> Table:
    """The results under each condition, a row for each model: in the first scope, at tuned thresholds."""
    figures = ("solos: top-1", "pairs: mAP", "pairs: exact", "other sounds: false alarm")
    rows = tuple((condition, one.name, *map(share, found)) for condition, one, found in robustness(report))
    return Table("under conditions", ("condition", "who"), figures, rows)


def compared(report: Report) -> Table:
    """By how much the first is higher than each other in the main metrics, with intervals over sources."""
    order = list(dict.fromkeys((each.scope, each.set, each.metric) for each in report.differences))
    rows = (
        (
            f"{each.set}: {_METRICS[each.metric]}",
            each.scope,
            each.other,
            _difference(each.own, each.own_interval),
            _difference(each.tuned, each.tuned_interval),
        )
        for each in sorted(report.differences, key=lambda one: order.index((one.scope, one.set, one.metric)))
    )
    return Table(
        f"{report.name} less the others, in brackets over sources",
        ("figure", "labels", "less"),
        ("by own thresholds", "by tuned thresholds"),
        tuple(rows),
    )


def irmas(report: Report) -> Table:
    """IRMAS' test protocol, and what others published."""
    rows = []
    for one in report.models:
        if found := one.excerpts:
            spans = [found.intervals.get(name) for name in ("micro_f1", "macro_f1")]
            tuned = [found.tuned_intervals.get(name) for name in ("micro_f1", "macro_f1")]
            f1 = (found.micro_f1, found.macro_f1, found.tuned_micro_f1, found.tuned_macro_f1)
            rows.append((one.name, str(found.excerpts), *map(with_interval, f1, (*spans, *tuned))))
    published = [(f"{each.who}, as published", "", each.micro_f1, each.macro_f1, "", "") for each in _PUBLISHED]
    figures = ("excerpts", "micro F1", "macro F1", "tuned micro F1", "tuned macro F1")
    return Table("IRMAS' test protocol", ("who",), figures, (*rows, *published))


def by_model(report: Report) -> list[tuple[Report, SetResult]]:
    """Every result with the model it is of: set by set, so that models on the same windows are together."""
    each = [(one, result) for one in report.models for result in one.results]
    sets = list(dict.fromkeys((result.scope, result.set) for _, result in each))
    return sorted(each, key=lambda pair: sets.index((pair[1].scope, pair[1].set)))


def robustness(report: Report) -> list[tuple[str, Report, tuple[float | None, ...]]]:
    """By condition and model: top-1 of solos, mAP and exact match of pairs, false alarms of other sounds.

    The first condition is none. Exact match and false alarms are at tuned thresholds where there are such.
    """
    rows = []
    for condition in ("as it is", *dict.fromkeys(each.condition for each in report.under_conditions)):
        for one in report.models:
            scope = one.results[0].scope
            sets: dict[str, SetResult | ConditionResult] = {
                **{each.set: each for each in one.results if condition == "as it is" and each.scope == scope},
                **{
                    each.set: each
                    for each in one.under_conditions
                    if (each.condition, each.scope) == (condition, scope)
                },
            }
            rows.append((condition, one, _robust(sets)))
    return rows


def share(value: float | None) -> str:
    """A share as it is printed, nothing where there is none."""
    return "" if value is None else f"{value:.3f}"


def with_interval(value: float | None, interval: Interval | None) -> str:
    """A share with its 95 % interval, if it has one."""
    if value is None or interval is None:
        return share(value)
    return f"{value:.3f} [{interval[0]:.2f}, {interval[1]:.2f}]"


def _difference(value: float | None, interval: Interval | None) -> str:
    if value is None or interval is None:
        return "" if value is None else f"{value:+.3f}"
    return f"{value:+.3f} [{interval[0]:+.2f}, {interval[1]:+.2f}]"


def _robust(sets: Mapping[str, SetResult | ConditionResult]) -> tuple[float | None, ...]:
    solos, pairs, others = (sets.get(name) for name in ("solos", "pairs", "other sounds"))
    return (
        solos.scores.top1 if solos else None,
        pairs.scores.mean_average_precision if pairs else None,
        (pairs.tuned or pairs.scores).exact_match if pairs else None,
        (others.tuned or others.scores).false_alarm if others else None,
    )


def _names(report: Report) -> tuple[str, ...]:
    return ("set", "labels", "who") if report.against else ("set", "labels")


def _of(report: Report, one: Report, result: SetResult) -> tuple[str, ...]:
    return (result.set, result.scope, *((one.name,) if report.against else ()))


def _row(result: SetResult) -> tuple[str, ...]:
    scores, tuned = result.scores, result.tuned
    figures = (
        scores.top1,
        scores.top_k_exact,
        scores.mean_average_precision,
        scores.macro_f1,
        scores.labels_right,
        scores.exact_match,
        scores.false_alarm,
        *((tuned.labels_right, tuned.exact_match, tuned.false_alarm) if tuned else (None, None, None)),
        result.reliability.error if result.reliability else None,
    )
    return (str(scores.windows), *map(share, figures))
