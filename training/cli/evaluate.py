"""`whoplays evaluate`."""

import sys
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter
from rich.console import Console

from whoplays.models.errors import DataError, OptionError
from whoplays.training.cli.command_line import shown, typed
from whoplays.training.console import NOTES, check_at_least, counted
from whoplays.training.data.clip import Clip
from whoplays.training.data.corpora import open_corpora, open_share, require_readable
from whoplays.training.data.library import Library
from whoplays.training.evaluate.results import Report
from whoplays.training.evaluate.scores import Thresholds
from whoplays.training.evaluate.store import (
    fitted_on,
    keep_report,
    latest_thresholds,
    read_calibrations,
    read_events,
    read_reports,
)
from whoplays.training.report.page import ACCURACY, refuse_another
from whoplays.training.run import RunFolder

_WIDTH: Final = 160


def evaluate(
    models: list[str],
    /,
    *,
    data: Annotated[list[Path] | None, Parameter(negative=())] = None,
    against: Annotated[list[str] | None, Parameter(negative=())] = None,
    peer: Annotated[list[str] | None, Parameter(negative=())] = None,
    out: Path | None = None,
    report: Path | None = None,
    fit_thresholds: Annotated[bool, Parameter(negative=())] = False,
    robustness: Annotated[bool, Parameter(negative=())] = False,
    impulse: Path | None = None,
    threads: int = 1,
    cache: Path | None = None,
) -> None:
    """Evaluate runs or a model on recordings they were not trained on: solos, mixes, ensembles, other sounds.

    Args:
        models: Run folders; of several, each predicts what the ones before it were trained on. Or one model: a name of
            the catalogue, or a folder.
        data: Corpora to evaluate on; the run's own test split unless given.
        against: Another run or model to evaluate on the same windows; A+B for runs that make one model.
        peer: A published tagger to evaluate on them too: yamnet=FILE.tflite (needs the extra peers) or
            efficientat-mn04=FILE.pt.
        out: The run folder that keeps metrics.json and figures; the first run's unless given.
        report: A Markdown page to write, of everything that metrics.json then holds.
        fit_thresholds: Fit a threshold for each label, each run's on the predictions of the others. Without it those
            count that were fitted before and are kept in metrics.json, or 0.5. Runs that whoplays calibrate fitted
            something to are decided by that, with or without it.
        robustness: Evaluate again with the level changed, in mono, noise and a room, cut off, coded, mostly silent.
        impulse: A recorded impulse response for the room, instead of a made one.
        threads: CPU threads to compute with.
        cache: Where decoded audio is kept.
    """
    check_at_least("threads", threads, 1)
    if impulse and not robustness:
        raise OptionError("--impulse is the room of --robustness; add that, or leave out --impulse")
    if report:
        refuse_another(report, ACCURACY)
    import torch  # noqa: PLC0415  takes seconds to load; a wrong option should not

    from whoplays.training.console import keep_freed_memory  # noqa: PLC0415
    from whoplays.training.evaluate.conditions import conditions  # noqa: PLC0415
    from whoplays.training.evaluate.evaluate import evaluate as compute  # noqa: PLC0415
    from whoplays.training.evaluate.registry import Entries, find_models, find_peer, runs_of  # noqa: PLC0415
    from whoplays.training.fit.checkpoints import note_unfinished  # noqa: PLC0415

    entries = Entries(tuple(models), tuple(against or ()), tuple(find_peer(text) for text in peer or ()))
    runs = runs_of(entries.names)
    if not runs and not (data and out):
        raise OptionError("a model needs --data, what to evaluate it on, and --out, where to keep the results")
    clips = _clips(runs, data)
    for run in runs:
        note_unfinished(run)
    under = tuple(conditions(impulse)) if robustness else ()
    name = " + ".join(path.resolve().name for path in data) if data else "test split"
    folder = out or Path(models[0])
    library = Library(cache)
    good = require_readable(clips, library, "to evaluate on", map(str, data or runs[0].config().data))
    keep_freed_memory()
    torch.set_num_threads(threads)
    own = _thresholds(runs, folder, name, good, fit=fit_thresholds)
    found = compute(
        find_models(entries, own, name, good, threads),
        good,
        library,
        name,
        fit=fit_thresholds,
        halve=bool(entries.peers) or not runs,
        conditions=under,
        say=NOTES.print,
    )
    command = typed(
        "evaluate",
        [shown(text) for text in models],
        data=data or [],
        against=["+".join(map(shown, text.split("+"))) for text in entries.against],
        peer=[f"{each.name}={shown(each.path)}" for each in entries.peers],
        fit_thresholds=fit_thresholds,
        robustness=robustness,
        impulse=impulse,
        out=out,
        report=report,
    )
    _keep(msgspec.structs.replace(found, command=command), folder, report)
    _show(found)
    kept = [folder / "metrics.json", *([report] if report else [])]
    Console(markup=False, highlight=False, soft_wrap=True).print(f"kept in {' and '.join(map(str, kept))}")


def _clips(runs: list[RunFolder], data: list[Path] | None) -> list[Clip]:
    if data:
        return [clip for corpus in open_corpora(data) for clip in corpus.clips()]
    if len(runs) > 1:
        raise OptionError("several runs are evaluated together with --data, on what")
    config = runs[0].config()
    test = set(config.test)
    if not test:
        raise OptionError(f"{runs[0].folder} kept no test split; say with --data on what to evaluate it")
    return [clip for text in config.data for clip in open_share(text).corpus.clips() if clip.group in test]


def _thresholds(runs: list[RunFolder], out: Path, data: str, clips: list[Clip], *, fit: bool) -> Thresholds | None:
    """What `out` keeps for a run, or 0.5 each; None for a model. They do not count where the runs were calibrated."""
    if not runs:
        return None
    kept = read_reports(out / "metrics.json")
    if not fit and fitted_on(kept, data, clips) and not read_calibrations(runs):
        raise DataError(
            f"the thresholds in {out} were fitted on {data}, or some of it; add --fit-thresholds, or give another --out"
        )
    return latest_thresholds(kept, runs[0].config().recipe)


def _keep(found: Report, out: Path, page: Path | None) -> None:
    from whoplays.training.report import accuracy, plots  # noqa: PLC0415  matplotlib takes its time to load

    try:
        out.mkdir(parents=True, exist_ok=True)
        keep_report(found, out / "metrics.json")
        plots.draw_all(found, out)
        if page:
            reports = [kept for kept in read_reports(out / "metrics.json") if kept.command]
            accuracy.write(reports, page, read_events(out / "events.json"))
    except OSError as error:
        raise DataError(f"{error.filename or out} cannot keep the results: {error.strerror}") from error


def _show(found: Report) -> None:
    """Draw the tables: as wide as the terminal allows, or as they are where there is none."""
    from whoplays.training.report.tables import LEGEND, tables  # noqa: PLC0415  loaded with matplotlib already

    console = Console(width=None if sys.stdout.isatty() else _WIDTH, markup=False)
    for table in tables(found):
        console.print(*table.drawn(console.width))
    console.print(LEGEND)
    if found.left_out:
        console.print(f"left out: {counted(found.left_out, 'recording')} that some model was trained on")
    for remark in found.remarks:
        console.print(remark)
