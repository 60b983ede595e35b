"""Reports as people read them: a table on the terminal, and a run's `metrics.json`."""

from pathlib import Path

import msgspec
import numpy as np
from rich.table import Table

from models.errors import DataError
from training.evaluate import Judgement, Report
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


def table(report: Report) -> Table:
    """Every set that was judged, a row each."""
    title = f"{' + '.join(report.runs)} on {report.data}: {report.clips} recordings, {report.sources} sources"
    grid = Table(title=title, title_justify="left", box=None, header_style="bold")
    grid.add_column("set")
    grid.add_column("labels")
    for heading in ("windows", "top-1", "labels right", "exact", "macro F1", "mAP", "false alarm"):
        grid.add_column(heading, justify="right")
    for judgement in report.judgements:
        grid.add_row(*_row(judgement))
    return grid


def by_label(report: Report) -> Table:
    """Label accuracy of every set, a row each."""
    labels = report.labels
    grid = Table(title="label accuracy", title_justify="left", box=None, header_style="bold")
    grid.add_column("set")
    grid.add_column("labels")
    for label in labels:
        grid.add_column(label, justify="right")
    for judgement in report.judgements:
        accuracy = judgement.scores.label_accuracy
        grid.add_row(judgement.set, judgement.scope, *(_share(accuracy.get(label)) for label in labels))
    return grid


def by_source(report: Report) -> Table:
    """Top-1 of solos from each source, a row each, and the mean over the sources."""
    solos = {judgement.scope: judgement.top1_by_source for judgement in report.judgements if judgement.set == "solos"}
    grid = Table(title="top-1 of solos by source", title_justify="left", box=None, header_style="bold")
    grid.add_column("source")
    for scope in solos:
        grid.add_column(scope, justify="right")
    for source in sorted({source for shares in solos.values() for source in shares}):
        grid.add_row(source, *(_share(shares.get(source)) for shares in solos.values()))
    grid.add_row("mean", *(_share(float(np.mean(list(shares.values())))) for shares in solos.values()))
    return grid


def _row(judgement: Judgement) -> tuple[str, ...]:
    scores = judgement.scores
    figures = (
        scores.top1,
        scores.labels_right,
        scores.exact_match,
        scores.macro_f1,
        scores.mean_average_precision,
        scores.false_alarm,
    )
    return (judgement.set, judgement.scope, str(scores.windows), *(_share(figure) for figure in figures))


def _share(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.3f}"
