"""Reports as tables on the terminal."""

import numpy as np
from rich.markup import escape
from rich.table import Table

from training.findings import ANCHORS, Judgement, Report
from training.report import answered, differences, everybody, robustness, share


def table(report: Report) -> Table:
    """Every set that was judged, a row for each who was; tuned thresholds are fitted on other shares' answers."""
    title = f"{report.name} on {report.data}: {report.clips} recordings, {report.sources} sources"
    grid = _grid(title, "set", "labels", *(("who",) if report.against else ()))
    for heading in ("windows", "top-1", "top-k", "mAP", "macro F1", "right", "exact", "alarm"):
        grid.add_column(heading, justify="right")
    for heading in ("right", "exact", "alarm"):
        grid.add_column(f"tuned {heading}", justify="right")
    grid.add_column("ECE", justify="right")
    for one, judgement in answered(report):
        who = (one.name,) if report.against else ()
        grid.add_row(judgement.set, judgement.scope, *who, *_row(judgement))
    return grid


def by_label(report: Report) -> Table:
    """Label accuracy of every set, a row for each who was judged."""
    labels = report.labels
    grid = _grid("label accuracy", "set", "labels", *(("who",) if report.against else ()))
    for label in labels:
        grid.add_column(label, justify="right")
    for one, judgement in answered(report):
        accuracy = judgement.scores.label_accuracy
        who = (one.name,) if report.against else ()
        grid.add_row(judgement.set, judgement.scope, *who, *(share(accuracy.get(label)) for label in labels))
    return grid


def by_source(report: Report) -> Table:
    """Top-1 of solos from each source, a row each, and the mean over the sources."""
    solos = [(one, judgement) for one, judgement in answered(report) if judgement.set == "solos"]
    grid = _grid("top-1 of solos by source", "source")
    for one, judgement in solos:
        grid.add_column(f"{judgement.scope}: {one.name}" if report.against else judgement.scope, justify="right")
    shares = [judgement.top1_by_source for _, judgement in solos]
    for source in sorted({source for by_source in shares for source in by_source}):
        grid.add_row(source, *(share(by_source.get(source)) for by_source in shares))
    grid.add_row("mean", *(share(float(np.mean(list(by_source.values())))) for by_source in shares))
    return grid


def under_conditions(report: Report) -> Table:
    """What is left under each condition, for everybody who was judged: of the first scope, by tuned thresholds."""
    grid = _grid("under conditions", "condition", "who")
    for heading in ("solos: top-1", "pairs: mAP", "pairs: exact", "other sounds: alarm"):
        grid.add_column(heading, justify="right")
    for condition, one, figures in robustness(report):
        grid.add_row(condition, one.name, *map(share, figures))
    return grid


def differing(report: Report) -> Table:
    """By how much the first is higher than each other in the main figures, with intervals over sources."""
    grid = _grid(f"{report.name} less the others, in brackets over sources", "figure", "labels", "less")
    for heading in ("own thresholds", "tuned thresholds"):
        grid.add_column(heading, justify="right")
    for row in differences(report):
        grid.add_row(*map(escape, row))
    return grid


def irmas(report: Report) -> Table:
    """IRMAS' test protocol, and what others published."""
    grid = _grid("IRMAS' test protocol", "who")
    for heading in ("excerpts", "micro F1", "macro F1", "tuned micro F1", "tuned macro F1"):
        grid.add_column(heading, justify="right")
    for one in everybody(report):
        if found := one.excerpts:
            figures = (found.micro_f1, found.macro_f1, found.tuned_micro_f1, found.tuned_macro_f1)
            grid.add_row(one.name, str(found.excerpts), *map(share, figures))
    for anchor in ANCHORS:
        grid.add_row(f"{anchor.who}, as published", "", anchor.micro_f1, anchor.macro_f1)
    return grid


def _grid(title: str, *columns: str) -> Table:
    grid = Table(title=title, title_justify="left", box=None, header_style="bold")
    for column in columns:
        grid.add_column(column)
    return grid


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
