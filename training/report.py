"""Reports as people read them: a table on the terminal, and a run's `metrics.json`."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
from rich.table import Table

from models.errors import DataError
from training.findings import ANCHORS, Hearing, Judgement, Report
from training.run import write_json
from training.scores import Thresholds


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


def thresholds(reports: list[Report], labels: tuple[str, ...]) -> Thresholds:
    """The thresholds of the latest report on these labels, or 0.5 each; once fitted they stay until fitted again."""
    known = [report.thresholds for report in reports if report.labels == labels]
    return np.array(known[-1] if known else (0.5,) * len(labels))


def fitted_on(reports: list[Report], data: str) -> bool:
    """Whether thresholds were fitted on this very data, so that they say nothing of it."""
    return any(report.fitted and report.data == data for report in reports)


def everybody(report: Report) -> list[Report]:
    """The report of the first, and of all others who answered the same questions."""
    return [report, *report.against]


def answered(report: Report) -> list[tuple[Report, Judgement]]:
    """Every judgement with whose it is: set by set, so that those who answered the same questions are together."""
    each = [(one, judgement) for one in everybody(report) for judgement in one.judgements]
    sets = list(dict.fromkeys((judgement.scope, judgement.set) for _, judgement in each))
    return sorted(each, key=lambda pair: sets.index((pair[1].scope, pair[1].set)))


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


def share(figure: float | None) -> str:
    """A share as it is printed, nothing where there is none."""
    return "" if figure is None else f"{figure:.3f}"


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
