"""The seed's table as a Markdown page."""

from collections.abc import Callable
from typing import Final

from whoplays.training.baselines.table import Made
from whoplays.training.evaluate.findings import Judgement, Report
from whoplays.training.evaluate.scores import Scores
from whoplays.training.report.markdown import table

MARK: Final = "<!-- Made by whoplays table --report; do not edit. -->"
_HEAD: Final = f"""{MARK}
# The seed's table

Every row was asked the same questions: windows of 3 s of recordings that none of them has heard, split by group before
anything else (what EfficientAT has heard of AudioSet, nobody here knows). Labels count as named from 0.5; `solo-rawcnn`
names its most probable one.

The seed's own figures stand beside, and are not like for like: they are of other recordings, and its split leaked. It
mixed pairs and made sign-reversed copies first and split afterwards, so that it was judged on what it had heard.
Times are of a machine that was doing other work as well.
"""
_FIGURES: Final[tuple[tuple[str, str, Callable[[Scores], float | None]], ...]] = (
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
    """Everything there is to say of these rows; `command` makes the page again."""
    parts = [_HEAD, f"```sh\n{command}\n```\n", _trained(made)]
    for place, report in enumerate(made[0].reports if made else ()):
        reports = [(one.row.name, one.reports[place]) for one in made]
        parts += [_judged(report.data, "core", reports), _judged(report.data, "all", reports)]
    return "\n".join(part for part in parts if part)


def _trained(made: list[Made]) -> str:
    rows = (
        (
            one.row.name,
            one.recipe.description,
            f"{one.parameters:,}",
            f"{one.recipe.epoch_windows:,}" if one.recipe.epoch_windows else "all",
            str(one.recipe.epochs),
            f"{one.timing.prepare_s:,.0f}" if one.timing and one.timing.prepare_s else "",
            f"{one.timing.epoch_s:,.1f}" if one.timing else "",
            one.row.seed,
        )
        for one in made
    )
    heading = (
        "row",
        "what",
        "parameters",
        "windows an epoch",
        "epochs",
        "preparing, s",
        "an epoch, s",
        "the seed's own",
    )
    return f"## How they were made\n\n{table(heading, rows)}\n"


def _judged(data: str, scope: str, reports: list[tuple[str, Report]]) -> str:
    """A table of everybody who was judged by these labels; nothing where nobody was."""
    found = [(name, {one.set: one for one in report.judgements if one.scope == scope}) for name, report in reports]
    asked = [(name, sets) for name, sets in found if sets]
    if not asked:
        return ""
    labels = "the four core labels" if scope == "core" else "all labels that a row knows"
    counts = ", ".join(f"{one.scores.windows} {name}" for name, one in asked[0][1].items() if name != "silence")
    heading = ("row", *(name for name, _, _ in _FIGURES))
    rows = ((name, *(_share(sets.get(kind), of) for _, kind, of in _FIGURES)) for name, sets in asked)
    return f"## {data}: {labels}\n\nWindows: {counts}.\n\n{table(heading, rows)}\n"


def _share(judgement: Judgement | None, of: Callable[[Scores], float | None]) -> str:
    figure = of(judgement.scores) if judgement else None
    return "" if figure is None else f"{figure:.3f}"
