"""`whoplays evaluate`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from whoplays.models.errors import OptionError
from whoplays.training.cli.command_line import evaluate_command
from whoplays.training.console import check_at_least
from whoplays.training.data.clip import Clip
from whoplays.training.data.corpora import open_corpora, open_share, require_readable
from whoplays.training.data.library import Library
from whoplays.training.report.generated import refuse_another
from whoplays.training.run import RunFolder


def evaluate(
    candidates: list[str],
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
    """Judge runs or a model on recordings they have not heard: solos, mixes of two and three, ensembles, other sounds.

    Args:
        candidates: Run folders; of several, each judges what the ones before it have heard. Or one model: a name of the
            catalogue, or a folder.
        data: Corpora to judge on; the run's own test split unless given.
        against: Another run or model that is to answer the same questions; A+B for runs that judge together.
        peer: Another's tagger that is to answer them too: yamnet=FILE.tflite (needs the extra peers) or
            efficientat-mn04=FILE.pt.
        out: The run folder that keeps metrics.json and figures; the first run's unless given.
        report: A Markdown page to write, of everything that metrics.json then holds.
        fit_thresholds: Fit a threshold for each label, each run's on the answers of the others. Without it those count
            that were fitted before and are kept in metrics.json, or 0.5. Runs that whoplays calibrate fitted something
            to are judged by that, with or without it.
        robustness: Ask again with the level changed, in mono, noise and a room, cut off, coded, and mostly silent.
        impulse: A recorded impulse response for the room, instead of a made one.
        threads: CPU threads to compute with.
        cache: Where decoded audio is kept.
    """
    from whoplays.training.evaluate.lineup import Entries, find_peer, runs_of  # noqa: PLC0415
    from whoplays.training.report.accuracy import MARK  # noqa: PLC0415  scikit-learn takes its time to load

    check_at_least("threads", threads, 1)
    if impulse and not robustness:
        raise OptionError("--impulse is the room of --robustness; add that, or leave out --impulse")
    if report:
        refuse_another(report, MARK)
    entries = Entries(tuple(candidates), tuple(against or ()), tuple(find_peer(text) for text in peer or ()))
    from whoplays.training.evaluate.conditions import conditions  # noqa: PLC0415
    from whoplays.training.evaluate.examine import Wishes, examine  # noqa: PLC0415  torch takes seconds to load; a wrong option should not
    from whoplays.training.fit.checkpoints import note_unfinished  # noqa: PLC0415

    runs = runs_of(entries.judged)
    if not runs and not (data and out):
        raise OptionError("a model is judged with --data, on what, and --out, where to keep what is found")
    clips = _judged(runs, data)
    for run in runs:
        note_unfinished(run)
    kept_in = out or Path(candidates[0])
    flags = {"fit-thresholds": fit_thresholds, "robustness": robustness}
    typed = evaluate_command(
        candidates,
        data or [],
        against or [],
        peer or [],
        flags=flags,
        paths={"impulse": impulse, "out": out, "report": report},
    )
    wishes = Wishes(fit_thresholds, tuple(conditions(impulse)) if robustness else (), report, typed)
    name = " + ".join(path.resolve().name for path in data) if data else "test split"
    library = Library(cache)
    good = require_readable(clips, library, "to judge on", map(str, data or runs[0].config().data))
    examine(entries, good, library, name, kept_in, wishes, threads=threads)


def _judged(runs: list[RunFolder], data: list[Path] | None) -> list[Clip]:
    if data:
        return [clip for corpus in open_corpora(data) for clip in corpus.clips()]
    if len(runs) > 1:
        raise OptionError("several runs are judged together with --data, on what")
    config = runs[0].config()
    test = set(config.test)
    if not test:
        raise OptionError(f"{runs[0].folder} kept no test split; say with --data on what to judge it")
    return [clip for text in config.data for clip in open_share(text).corpus.clips() if clip.group in test]
