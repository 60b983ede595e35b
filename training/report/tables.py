"""Reports as tables on the terminal."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from whoplays.training.console import counted
from whoplays.training.evaluate.findings import ANCHORS, Excerpts, Judgement, Report
from whoplays.training.evaluate.report import answered, differences, everybody, robustness, share
from whoplays.training.report.grid import Grid

LEGEND: Final = (
    "right: labels, one by one; exact: windows with every label right; alarm: a label named where none plays; "
    "tuned: by thresholds that fit other recordings"
)


def tables(report: Report) -> Iterator[Grid]:
    """Everything that a report tells."""
    yield by_set(report)
    yield by_label(report)
    if any(judgement.set == "solos" for judgement in report.judgements):
        yield by_source(report)
    if report.differences:
        yield differing(report)
    if report.hearings:
        yield under_conditions(report)
    if any(one.excerpts for one in everybody(report)):
        yield irmas(report)


def by_set(report: Report) -> Grid:
    """Every set that was judged, a row for each who was; tuned thresholds are fitted on other shares' answers."""
    counts = f"{counted(report.clips, 'recording')}, {counted(report.sources, 'source')}"
    figures = ("windows", "top-1", "top-k", "mAP", "macro\nF1", "right", "exact", "alarm")
    tuned = ("tuned\nright", "tuned\nexact", "tuned\nalarm")
    return Grid(
        f"{report.name} on {report.data}: {counts}",
        _names(report),
        (*figures, *tuned, "ECE"),
        tuple((*_of(report, one, judgement), *_row(judgement)) for one, judgement in answered(report)),
    )


def by_label(report: Report) -> Grid:
    """Label accuracy of every set, a row for each who was judged."""
    rows = (
        (*_of(report, one, judgement), *(share(judgement.scores.label_accuracy.get(label)) for label in report.labels))
        for one, judgement in answered(report)
    )
    return Grid("label accuracy", _names(report), report.labels, tuple(rows))


def by_source(report: Report) -> Grid:
    """Top-1 of solos from each source, a row each, and the mean over the sources."""
    solos = [(one, judgement) for one, judgement in answered(report) if judgement.set == "solos"]
    whose = (f"{judgement.scope}: {one.name}" if report.against else judgement.scope for one, judgement in solos)
    shares = [judgement.top1_by_source for _, judgement in solos]
    sources = sorted({source for by_source in shares for source in by_source})
    rows = [(source, *(share(by_source.get(source)) for by_source in shares)) for source in sources]
    mean = ("mean", *(share(float(np.mean(list(by_source.values())))) for by_source in shares))
    return Grid("top-1 of solos by source", ("source",), tuple(whose), (*rows, mean))


def under_conditions(report: Report) -> Grid:
    """What is left under each condition, for everybody who was judged: of the first scope, by tuned thresholds."""
    figures = ("solos: top-1", "pairs: mAP", "pairs: exact", "other sounds: alarm")
    rows = tuple((condition, one.name, *map(share, found)) for condition, one, found in robustness(report))
    return Grid("under conditions", ("condition", "who"), figures, rows)


def differing(report: Report) -> Grid:
    """By how much the first is higher than each other in the main figures, with intervals over sources."""
    return Grid(
        f"{report.name} less the others, in brackets over sources",
        ("figure", "labels", "less"),
        ("own thresholds", "tuned thresholds"),
        tuple(differences(report)),
    )


def irmas(report: Report) -> Grid:
    """IRMAS' test protocol, and what others published."""
    rows = [
        (one.name, str(found.excerpts), *map(share, _by_both_thresholds(found)))
        for one in everybody(report)
        if (found := one.excerpts)
    ]
    published = [(f"{anchor.who}, as published", "", anchor.micro_f1, anchor.macro_f1, "", "") for anchor in ANCHORS]
    figures = ("excerpts", "micro F1", "macro F1", "tuned micro F1", "tuned macro F1")
    return Grid("IRMAS' test protocol", ("who",), figures, (*rows, *published))


def _by_both_thresholds(found: Excerpts) -> tuple[float | None, ...]:
    return found.micro_f1, found.macro_f1, found.tuned_micro_f1, found.tuned_macro_f1


def _names(report: Report) -> tuple[str, ...]:
    return ("set", "labels", "who") if report.against else ("set", "labels")


def _of(report: Report, one: Report, judgement: Judgement) -> tuple[str, ...]:
    return (judgement.set, judgement.scope, *((one.name,) if report.against else ()))


def _row(judgement: Judgement) -> tuple[str, ...]:
    scores, tuned = judgement.scores, judgement.tuned
    figures = (
        scores.top1,
        scores.top_k_exact,
        scores.mean_average_precision,
        scores.macro_f1,
        scores.labels_right,
        scores.exact_match,
        scores.false_alarm,
        *((tuned.labels_right, tuned.exact_match, tuned.false_alarm) if tuned else (None, None, None)),
        judgement.reliability.error if judgement.reliability else None,
    )
    return (str(scores.windows), *map(share, figures))
