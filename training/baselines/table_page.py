"""The table of the original project as a Markdown page."""

from collections.abc import Callable
from typing import Final

from whoplays.models.tables import Table
from whoplays.training.baselines.table import Made
from whoplays.training.evaluate.results import Report
from whoplays.training.evaluate.scores import Scores
from whoplays.training.report.page import BASELINES
from whoplays.training.report.tables import share

HEAD: Final = f"""{BASELINES}
# The original project's table

Every row is evaluated on the same windows of 3 s, of recordings that none of them was trained on, split by group before
anything else (what EfficientAT heard in AudioSet is not known). Labels are active from 0.5; `solo-rawcnn` names its
most probable one.

The original project's own figures stand beside, and are not like for like: they are of other recordings, and its split
leaked. It mixed pairs and made sign-reversed copies first and split afterwards, so that it was tested on what it was
trained on. Times are of a machine that was doing other work as well.
"""
_METRICS: Final[tuple[tuple[str, str, Callable[[Scores], float | None]], ...]] = (
    ("solos: top-1", "solos", lambda scores: scores.top1),
    ("pairs: labels right", "pairs", lambda scores: scores.labels_right),
    ("pairs: exact", "pairs", lambda scores: scores.exact_match),
    ("pairs: mAP", "pairs", lambda scores: scores.mean_average_precision),
    ("trios: labels right", "trios", lambda scores: scores.labels_right),
    ("trios: exact", "trios", lambda scores: scores.exact_match),
    ("trios: mAP", "trios", lambda scores: scores.mean_average_precision),
    ("other sounds: false alarms", "other sounds", lambda scores: scores.false_alarm),
)


def page(made: list[Made], command: str) -> str:
    """The page of these rows; `command` makes it again."""
    parts = [HEAD, f"```sh\n{command}\n```\n", _training(made)]
    for place, report in enumerate(made[0].reports if made else ()):
        reports = [(one.row.name, one.reports[place]) for one in made]
        parts += [_results(report.data, "core", reports), _results(report.data, "all", reports)]
    return "\n".join(part for part in parts if part)


def _training(made: list[Made]) -> str:
    rows = (
        (
            one.row.name,
            one.recipe.description,
            f"{one.parameters:,}",
            f"{one.recipe.epoch_windows:,}" if one.recipe.epoch_windows else "all",
            str(one.recipe.epochs),
            f"{one.timing.prepare_s:,.0f}" if one.timing and one.timing.prepare_s else "",
            f"{one.timing.epoch_s:,.1f}" if one.timing else "",
            one.row.original,
        )
        for one in made
    )
    figures = ("parameters", "windows an epoch", "epochs", "preparing, s", "an epoch, s", "the original project's own")
    return f"## How they were made\n\n{Table('', ('row', 'what'), figures, tuple(rows)).markdown()}\n"


def _results(data: str, scope: str, reports: list[tuple[str, Report]]) -> str:
    """A table of every row that knows these labels; nothing where none does."""
    found = [(name, {one.set: one.scores for one in report.results if one.scope == scope}) for name, report in reports]
    known = [(name, sets) for name, sets in found if sets]
    if not known:
        return ""
    labels = "the four core labels" if scope == "core" else "all labels that a row knows"
    counts = ", ".join(f"{scores.windows} {name}" for name, scores in known[0][1].items() if name != "silence")
    rows = (
        (name, *(share(of(sets[kind]) if kind in sets else None) for _, kind, of in _METRICS)) for name, sets in known
    )
    table = Table("", ("row",), tuple(name for name, _, _ in _METRICS), tuple(rows))
    return f"## {data}: {labels}\n\nWindows: {counts}.\n\n{table.markdown()}\n"
