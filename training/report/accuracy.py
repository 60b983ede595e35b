"""The accuracy page: Markdown for people to read, made from evaluation reports."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final

from whoplays.models.event_scores import COLLARS_S, EventReport, EventScores
from whoplays.models.labels import CORE
from whoplays.models.tables import Table
from whoplays.training.console import counted
from whoplays.training.evaluate.results import Report, SetResult
from whoplays.training.evaluate.scores import RESAMPLES, Interval, Scores
from whoplays.training.report import plots, tables
from whoplays.training.report.page import ACCURACY, signed
from whoplays.training.report.tables import by_model, share, with_interval

_WEAKEST: Final = 10
HEAD: Final = f"""{ACCURACY}
# Accuracy

Windows of three seconds. Solos, ensembles and other sounds are as recorded; pairs and trios are seeded mixes of
different labels within ±6 dB, from different sources wherever there are several, every set of labels as often as any
other. Nothing is evaluated on a recording that any of the models was trained on, and all rows of a table are of the
same windows.

- **top-1**: the most probable label plays. **top-k**: where k labels play, the k most probable are exactly those.
- **labels right**: of all labels of all windows, one by one. **exact**: windows with every label right.
- **false alarm**: windows without any of the labels, in which one is active.
- **own** thresholds are those a model ships with, after its calibration if it has one; 0.5 where there are none. Those
  of runs were fitted as what ships was, but on recordings that the run is not evaluated on. **tuned** ones compare
  rankings: for each label that which gets most labels right on solos, mixes and ensembles of other recordings, in the
  same way for every model and before any calibration; each set counts alike, and four labels have others than eleven.
  Other sounds do not count in it: how often they are then taken for an instrument stands beside it.
- **ECE**: expected calibration error, in ten bins of equal width.
- In brackets, the 95 % interval over {RESAMPLES:,} resamples of the recordings' groups (cluster bootstrap, Davison and
  Hinkley 1997; of mixes by the groups of their parts, Owen 2007). Where there are few groups, it says little.
"""


def write(reports: list[Report], path: Path, events: EventReport | None = None) -> None:
    """Write the page, and its figures into the folder of the same name beside it.

    Args:
        events: how well onsets and offsets are detected, if that was measured.

    Raises:
        OSError: they cannot be written.
    """
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    body = "\n".join([HEAD, *(_section(report, folder) for report in reports), _events(events)])
    path.write_text(signed(body), encoding="utf-8")


def _section(report: Report, folder: Path) -> str:
    drawn = plots.draw_all(report, folder)
    parts = [
        f"## On {report.data}\n\n```sh\n{report.command}\n```\n\n{_about(report)}",
        *(_scope(report, scope) for scope in dict.fromkeys(each.scope for each in report.results)),
        f"### Differences\n\n{_differences(report)}" if report.differences else "",
        f"### Label by label\n\nLabel accuracy by own thresholds.\n\n{_markdown(report, tables.by_label(report))}",
        f"### Source by source\n\n{_sources(report)}" if any(each.set == "solos" for each in report.results) else "",
        f"### Under conditions\n\n{_conditions(report)}" if report.under_conditions else "",
        f"### IRMAS' test protocol\n\n{_irmas(report)}" if any(one.excerpts for one in report.models) else "",
        "### Drawn\n\n" + "\n".join(f"![{path.stem}]({folder.name}/{path.name})" for path in drawn),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _about(report: Report) -> str:
    folds = (
        "one fold" if report.folds == 1 else f"{report.folds} folds, thresholds of each tuned on the others if at all"
    )
    left_out = f" {report.left_out} more were left out: some model was trained on them." if report.left_out else ""
    fitted = " (thresholds by `calibrate`)"
    models = "; ".join(f"`{one.name}`{fitted if one.calibrated else ''}" for one in report.models)
    return (
        f"{counted(report.clips, 'recording')} in {counted(report.groups, 'group')} from "
        f"{counted(report.sources, 'source')}, in {folds}.{left_out} Models: {models}. "
        "A name of several runs is one model: each of its runs predicts what it was not trained on."
        + "".join(f"\n\n{remark[0].upper()}{remark[1:]}." for remark in report.remarks)
    )


def _scope(report: Report, scope: str) -> str:
    rows = [(one, each) for one, each in by_model(report) if each.scope == scope]
    labels = list(rows[0][1].scores.label_accuracy)
    ranking = Table(
        "",
        ("set", "who"),
        ("windows", "top-1", "top-k", "mAP", "ECE"),
        tuple((each.set, one.name, str(each.scores.windows), *_ranking(each)) for one, each in rows),
    )
    own = _decided((one, each, each.scores, each.intervals) for one, each in rows)
    tuned = _decided((one, each, each.tuned, each.tuned_intervals) for one, each in rows if each.tuned)
    parts = [
        f"### {_title(scope, labels)}\n\n{_markdown(report, ranking)}",
        f"By own thresholds:\n\n{_markdown(report, own)}",
        f"By tuned thresholds:\n\n{_markdown(report, tuned)}" if tuned.rows else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _title(scope: str, labels: Sequence[str]) -> str:
    count = f"{'The four core' if scope == 'core' and len(labels) == len(CORE) else f'{len(labels)}'} labels"
    return f"{count}: {', '.join(labels)}"


def _ranking(each: SetResult) -> tuple[str, ...]:
    names = ("top1", "top_k_exact", "mean_average_precision")
    error = each.reliability.error if each.reliability else None
    return (*(with_interval(getattr(each.scores, name), each.intervals.get(name)) for name in names), share(error))


def _decided(rows: Iterable[tuple[Report, SetResult, Scores | None, dict[str, Interval]]]) -> Table:
    """The metrics that need thresholds."""
    names = ("labels_right", "exact_match", "macro_f1", "micro_f1", "false_alarm")
    return Table(
        "",
        ("set", "who"),
        ("labels right", "exact", "macro F1", "micro F1", "false alarm"),
        tuple(
            (each.set, one.name, *(with_interval(getattr(scores, name), spans.get(name)) for name in names))
            for one, each, scores, spans in rows
        ),
    )


def _differences(report: Report) -> str:
    return (
        f"How much higher `{report.name}` is than the others, on the same windows; of false alarms, lower is better. "
        f"In brackets, the 95 % interval over {RESAMPLES:,} resamples of the **sources**, drawn alike for both (of "
        "mixes, by the sources of their parts): where it holds 0, another choice of sources might turn the comparison "
        f"round. What needs no thresholds stands once.\n\n{tables.compared(report).markdown()}"
    )


def _sources(report: Report) -> str:
    """Top-1 by source, and the groups in which the first model is wrong most often, in the widest scope."""
    parts = [f"Top-1 of solos.\n\n{_markdown(report, tables.by_source(report))}"]
    solos = [each for each in report.results if each.set == "solos" and each.top1_by_group]
    if solos:
        right = sorted(solos[-1].top1_by_group.items(), key=lambda item: (item[1], item[0]))
        weak = [f"{name} ({figure:.2f})" for name, figure in right if figure < 1][:_WEAKEST]
        groups = "; ".join(weak) or "none"
        parts.append(f"The weakest groups of `{report.name}`, {solos[-1].scope} labels: {groups}.")
    return "\n\n".join(parts)


def _conditions(report: Report) -> str:
    thresholds = "tuned" if report.results[0].tuned else "own"
    return (
        "The same windows after a change of level (clipped at full scale), in mono, with pink noise so far below the "
        "music, in a room, cut off above 4 kHz, coded, and with silence around the loudest of the three seconds. "
        f"{report.results[0].scope.capitalize()} labels; by {thresholds} thresholds, those that count without it."
        f"\n\n{_markdown(report, tables.under_conditions(report))}"
    )


def _irmas(report: Report) -> str:
    return (
        "Whole excerpts, the logits of their windows averaged, eleven labels. Tuned here means by the thresholds with "
        f"the best F-measures on other excerpts.\n\n{_markdown(report, tables.irmas(report))}"
    )


def _events(events: EventReport | None) -> str:
    """Onsets and offsets, where they were measured."""
    if events is None:
        return ""
    within = [f"{what} {collar:g} s" for what in ("onset", "offset") for collar in COLLARS_S]
    rows = tuple((f"{row.hop_s} s", *_event_row(row.scores)) for row in events.rows if row.fitted_to_others)
    figures = ("played", "detected", *within, "onset known after", "offset known after")
    return (
        f"## Who enters and leaves\n\n{events.concerts} simulated concerts, by `whoplays bench events`, each with what "
        "was fitted to those of other sources: F1 of onsets and of offsets within so many seconds, and the median time "
        f"until they are known.\n\n{Table('', ('a window every',), figures, rows).markdown()}\n"
    )


def _event_row(scores: EventScores) -> tuple[str, ...]:
    f1 = map(share, (*scores.onset_f1, *scores.offset_f1))
    delays = (scores.onset_delays_s, scores.offset_delays_s)
    return (
        str(scores.references),
        str(scores.detections),
        *f1,
        *(f"{median(each):.1f} s" if each else "" for each in delays),
    )


def _markdown(report: Report, table: Table) -> str:
    """A table in which the first of several models stands out."""
    if not report.against:
        return table.markdown()

    def bold(cell: str) -> str:
        return f"**{cell}**" if cell == report.name else cell

    rows = tuple(tuple(map(bold, row)) for row in table.rows)
    return replace(table, rows=rows).markdown()
