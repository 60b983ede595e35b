"""`whoplays calibrate`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from whoplays.models.errors import OptionError
from whoplays.training.console import check_at_least
from whoplays.training.data.clip import Clip
from whoplays.training.data.corpora import open_corpora, open_corpus, require_readable
from whoplays.training.data.library import Library
from whoplays.training.run import RunFolder


def calibrate(
    runs: list[Path],
    /,
    *,
    data: Annotated[list[Path], Parameter(negative=())],
    out: Path,
    judge: Annotated[list[Path] | None, Parameter(negative=())] = None,
    method: Literal["none", "temperature", "platt"] = "platt",
    rule: Literal["f-measure", "even", "exact"] = "f-measure",
    false_alarm_cost: float | None = None,
    threads: int = 1,
    cache: Path | None = None,
) -> None:
    """Fit calibration and thresholds on what runs answer to recordings they have not heard, for export.

    Args:
        runs: Run folders; of several, each answers what the ones before it have heard.
        data: Corpora to fit on.
        out: The run folder that keeps calibration.json; each of the runs keeps what fits the answers of the others.
        judge: Further corpora, each judged by what was fitted; none of --data.
        method: One temperature for all labels, a scale and a bias for each (platt), or none.
        rule: Thresholds for each label's F-measure by itself; one for all labels (even), or one for each (exact), for
            the most windows that are exactly right.
        false_alarm_cost: What a false alarm on other sounds costs, in sets not exactly right: 1 unless given; not for
            f-measure.
        threads: CPU threads to compute with.
        cache: Where decoded audio is kept.
    """
    check_at_least("threads", threads, 1)
    if false_alarm_cost is not None and rule == "f-measure":
        raise OptionError("--rule f-measure knows no cost of false alarms; leave out --false-alarm-cost")
    cost = 1.0 if false_alarm_cost is None else false_alarm_cost
    if not 0 <= cost <= 1000:
        raise OptionError(f"--false-alarm-cost must be from 0 to 1000, not {cost:g}")
    folders = [RunFolder(path) for path in runs]
    # Where it is kept matters to export alone, which would not miss it.
    for folder in (*folders, RunFolder(out)):
        folder.config()
    names = [folder.name for folder in folders]
    if len(set(names)) < len(names):
        raise OptionError(f"several of these runs are called {max(names, key=names.count)}; rename all but one")
    library = Library(cache)
    _refuse_fitted(data, judge or [])
    fitting = _material(data, library)
    from whoplays.training.evaluate import calibrate as fitted  # noqa: PLC0415  torch takes seconds to load; a wrong option should not
    from whoplays.training.evaluate.fitted import Ask  # noqa: PLC0415

    judging = [fitted.Material(*_material([folder], library)) for folder in judge or ()]
    ask = Ask(method, rule, cost)
    fitted.calibrate(folders, fitted.Material(*fitting), judging, library, RunFolder(out), ask, threads=threads)


def _refuse_fitted(data: list[Path], judge: list[Path]) -> None:
    """See that nothing is judged by what is fitted on it; recordings are known by their groups."""
    fitted = {clip.group for folder in data for clip in open_corpus(folder).clips()}
    for folder in judge:
        both = {clip.group for clip in open_corpus(folder).clips()} & fitted
        if both:
            raise OptionError(
                f"--judge {folder}: {min(both)} is in --data, and would be judged by what is fitted on it"
            )


def _material(folders: list[Path], library: Library) -> tuple[str, list[Clip]]:
    """What corpora are called together, and what of them can be read."""
    clips = [clip for corpus in open_corpora(folders) for clip in corpus.clips()]
    good = require_readable(clips, library, "to ask about", map(str, folders))
    return " + ".join(folder.resolve().name for folder in folders), good
