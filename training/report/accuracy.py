"""The accuracy page: Markdown for people to read, made from reports and signed so that nobody edits it by hand."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from whoplays.models.errors import DataError
from whoplays.models.labels import CORE, NAMES
from whoplays.training.console import counted
from whoplays.training.evaluate.bootstrap import RESAMPLES
from whoplays.training.evaluate.findings import ANCHORS, Interval, Judgement, Report
from whoplays.training.evaluate.report import answered, differences, everybody, robustness, share
from whoplays.training.evaluate.scores import Scores
from whoplays.training.report import plots as figures
from whoplays.training.report.events import Concerts, EventFigures
from whoplays.training.report.markdown import table

MARK: Final = "<!-- Made by whoplays evaluate --report; do not edit. -->"
_WEAKEST: Final = 10
_HEAD: Final = f"""{MARK}
# How well it hears

Windows of three seconds. Solos, ensembles and other sounds are as recorded; pairs and trios are seeded mixes of
different labels within ±6 dB, from different sources wherever an exam has several, every set of labels as often as any
other. Nobody was asked about a recording that any of those judged has heard, and all rows of a table answered the same
questions.

- **top-1**: the most probable label plays. **top-k**: where k labels play, the k most probable are exactly those.
- **labels right**: of all labels of all windows, one by one. **exact**: windows with every label right.
- **false alarm**: windows without any of the labels, in which one was named.
- **own** thresholds are those a model ships with, after its calibration if it has one; 0.5 where there are none. Those
  of runs were fitted as what ships was, but on the answers to recordings that the run was not asked about. **tuned**
  ones compare rankings: for each label that which gets most answers right on solos, mixes and ensembles of other
  recordings, in the same way for everybody and before any calibration; each set counts alike, and four labels have
  others than eleven. Other sounds have no say in it: how often they are then taken for an instrument is told beside it.
- **ECE**: expected calibration error, in ten bins of equal width.
- In brackets, the 95 % interval over {RESAMPLES:,} resamples of the recordings' groups (cluster bootstrap, Davison and
  Hinkley 1997; of mixes by the groups of their parts, Owen 2007). Where there are few groups, it tells little.
"""


def write(reports: list[Report], path: Path, concerts: Concerts | None = None) -> None:
    """Write the page, and its figures into the folder of the same name beside it.

    Args:
        concerts: how entering and leaving was told, if that was measured.

    Raises:
        OSError: they cannot be written.
    """
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    body = "\n".join([_HEAD, *(_section(report, folder) for report in reports), _events(concerts)])
    path.write_text(signed(body), encoding="utf-8")


def signed(body: str) -> str:
    """A page with its digest at the end."""
    return f"{body.rstrip()}\n\n<!-- {_digest(body.rstrip())} -->\n"


def check(text: str) -> None:
    """Refuse a page that is not as it was made.

    Raises:
        DataError: it was edited, or was never made.
    """
    body, _, last = text.rstrip().rpartition("\n")
    if not text.startswith(MARK) or last != f"<!-- {_digest(body.rstrip())} -->":
        raise DataError("the page is not as whoplays evaluate --report made it; make it again")


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _section(report: Report, folder: Path) -> str:
    drawn = figures.draw_all(report, folder)
    parts = [
        f"## On {report.data}\n\n```sh\n{report.command}\n```\n\n{_who(report)}",
        *(_scope(report, scope) for scope in dict.fromkeys(each.scope for each in report.judgements)),
        f"### Differences\n\n{_differences(report)}" if report.differences else "",
        f"### Label by label\n\nLabel accuracy by own thresholds.\n\n{_by_label(report)}",
        f"### Source by source\n\nTop-1 of solos.\n\n{_by_source(report)}{_weakest(report)}" if _solos(report) else "",
        f"### Under conditions\n\n{_robustness(report)}" if report.hearings else "",
        f"### IRMAS' test protocol\n\n{_irmas(report)}" if any(one.excerpts for one in everybody(report)) else "",
        "### Drawn\n\n" + "\n".join(f"![{path.stem}]({folder.name}/{path.name})" for path in drawn),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _who(report: Report) -> str:
    exams = (
        "one exam" if report.shares == 1 else f"{report.shares} exams, thresholds of each tuned on the others if at all"
    )
    left_out = f" {report.left_out} more were left out: someone here has heard them." if report.left_out else ""
    fitted = " (thresholds by `calibrate`)"
    judged = "; ".join(f"`{one.name}`{fitted if one.calibrated else ''}" for one in everybody(report))
    return (
        f"{counted(report.clips, 'recording')} in {counted(report.groups, 'group')} from "
        f"{counted(report.sources, 'source')}, as {exams}.{left_out} "
        f"Judged: {judged}. A name of several runs is one model: each of its runs answers for what it has not heard."
        + "".join(f"\n\n{remark[0].upper()}{remark[1:]}." for remark in report.remarks)
    )


def _scope(report: Report, scope: str) -> str:
    rows = [(one, each) for one, each in answered(report) if each.scope == scope]
    labels = [NAMES[label] for label in rows[0][1].scores.label_accuracy]
    own = table(
        ("set", "who", "windows", "top-1", "top-k", "mAP", "ECE"),
        ((each.set, _name(report, one), str(each.scores.windows), *_ranking(each)) for one, each in rows),
    )
    named = table(
        ("set", "who", "labels right", "exact", "macro F1", "micro F1", "false alarm"),
        ((each.set, _name(report, one), *_named(each.scores, each.intervals)) for one, each in rows),
    )
    parts = [f"### {_title(scope, labels)}\n\n{own}", f"By own thresholds:\n\n{named}"]
    if any(each.tuned for _, each in rows):
        tuned = table(
            ("set", "who", "labels right", "exact", "macro F1", "micro F1", "false alarm"),
            (
                (each.set, _name(report, one), *_named(each.tuned, each.tuned_intervals))
                for one, each in rows
                if each.tuned
            ),
        )
        parts.append(f"By tuned thresholds:\n\n{tuned}")
    return "\n\n".join(parts)


def _title(scope: str, labels: Sequence[str]) -> str:
    count = f"{'The four core' if scope == 'core' and len(labels) == len(CORE) else f'{len(labels)}'} labels"
    return f"{count}: {', '.join(labels)}"


def _ranking(each: Judgement) -> tuple[str, ...]:
    scores = each.scores
    figures = {name: getattr(scores, name) for name in ("top1", "top_k_exact", "mean_average_precision")}
    error = each.reliability.error if each.reliability else None
    return (*(_told(figure, each.intervals.get(name)) for name, figure in figures.items()), share(error))


def _named(scores: Scores, intervals: dict[str, Interval]) -> tuple[str, ...]:
    names = ("labels_right", "exact_match", "macro_f1", "micro_f1", "false_alarm")
    return tuple(_told(getattr(scores, name), intervals.get(name)) for name in names)


def _told(figure: float | None, interval: Interval | None) -> str:
    if figure is None or interval is None:
        return share(figure)
    return f"{figure:.3f} [{interval[0]:.2f}, {interval[1]:.2f}]"


def _differences(report: Report) -> str:
    told = table(
        ("figure", "labels", "less", "by own thresholds", "by tuned thresholds"),
        ((figure, labels, f"`{other}`", *gaps) for figure, labels, other, *gaps in differences(report)),
    )
    return (
        f"How much higher `{report.name}` is than the others, of the same windows; of false alarms, lower is better. "
        f"In brackets, the 95 % interval over {RESAMPLES:,} resamples of the **sources**, drawn alike for both (of "
        "mixes, by the sources of their parts): where it holds 0, another choice of sources might turn the comparison "
        f"round. What needs no thresholds is told once.\n\n{told}"
    )


def _by_label(report: Report) -> str:
    return table(
        ("set", "labels", "who", *report.labels),
        (
            (each.set, each.scope, _name(report, one), *_accuracies(each, report.labels))
            for one, each in answered(report)
        ),
    )


def _accuracies(each: Judgement, labels: Sequence[str]) -> Iterable[str]:
    return (share(each.scores.label_accuracy.get(label)) for label in labels)


def _solos(report: Report) -> list[tuple[Report, Judgement]]:
    return [(one, each) for one, each in answered(report) if each.set == "solos"]


def _by_source(report: Report) -> str:
    solos = _solos(report)
    sources = sorted({source for _, each in solos for source in each.top1_by_source})
    return table(
        ("source", *(f"{_name(report, one)}, {each.scope}" for one, each in solos)),
        ((source, *(share(each.top1_by_source.get(source)) for _, each in solos)) for source in sources),
    )


def _weakest(report: Report) -> str:
    """The groups in which the first is wrong most often, of the widest scope."""
    solos = [each for each in report.judgements if each.set == "solos" and each.top1_by_group]
    if not solos:
        return ""
    right = sorted(solos[-1].top1_by_group.items(), key=lambda item: (item[1], item[0]))
    weak = [f"{name} ({figure:.2f})" for name, figure in right if figure < 1][:_WEAKEST]
    return f"\n\nThe weakest groups of `{report.name}`, {solos[-1].scope} labels: {'; '.join(weak) or 'none'}."


def _robustness(report: Report) -> str:
    told = table(
        ("condition", "who", "solos: top-1", "pairs: mAP", "pairs: exact", "other sounds: false alarm"),
        (
            (condition, _name(report, one), *(share(figure) for figure in found))
            for condition, one, found in robustness(report)
        ),
    )
    thresholds = "tuned" if report.judgements[0].tuned else "own"
    return (
        "The same questions after a change of level (clipped at full scale), in mono, with pink noise so far below the "
        "music, in a room, cut off above 4 kHz, coded, and with silence around the loudest of the three seconds. "
        f"{report.judgements[0].scope.capitalize()} labels; by {thresholds} thresholds, those that count without it."
        f"\n\n{told}"
    )


def _irmas(report: Report) -> str:
    rows = []
    for one in everybody(report):
        if found := one.excerpts:
            own = [_told(getattr(found, name), found.intervals.get(name)) for name in ("micro_f1", "macro_f1")]
            tuned = [
                _told(getattr(found, f"tuned_{name}"), found.tuned_intervals.get(name))
                for name in ("micro_f1", "macro_f1")
            ]
            rows.append((_name(report, one), str(found.excerpts), *own, *tuned))
    published = [(f"{anchor.who}, as published", "", anchor.micro_f1, anchor.macro_f1, "", "") for anchor in ANCHORS]
    told = table(("who", "excerpts", "micro F1", "macro F1", "tuned micro F1", "tuned macro F1"), (*rows, *published))
    return (
        "Whole excerpts, the logits of their windows averaged, eleven labels. Tuned here means by the thresholds with "
        f"the best F-measures on other excerpts.\n\n{told}"
    )


def _events(concerts: Concerts | None) -> str:
    """Who enters and leaves, where that was measured."""
    rows = concerts.by_hop_s() if concerts else {}
    if concerts is None or not rows:
        return ""
    told = table(
        ("a window every", "entrances", "told", "right", "onset F1", "onset and offset F1", "median delay"),
        ((f"{hop_s} s", *_entrances(one)) for hop_s, one in rows.items()),
    )
    return (
        f"## Who enters and leaves\n\n{concerts.concerts} made concerts, by `whoplays bench events`. Of the entrances "
        f"told, right are those of who did enter, at about that time.\n\n{told}\n"
    )


def _entrances(one: EventFigures) -> tuple[str, ...]:
    counts = (str(count) for count in (one.played, one.told, one.right))
    return *counts, share(one.onset_f1), share(one.onset_offset_f1), _seconds(one.delay_s)


def _seconds(length_s: float | None) -> str:
    return "" if length_s is None else f"{length_s:.1f} s"


def _name(report: Report, one: Report) -> str:
    """Who a row is of; the first stands out where there are others."""
    return f"**{one.name}**" if one is report and report.against else one.name
