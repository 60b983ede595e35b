"""`whoplays calibrate`."""

from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Parameter
from rich.console import Console

from whoplays.models.errors import OptionError
from whoplays.training.console import check_at_least
from whoplays.training.data.clip import Clip
from whoplays.training.data.corpora import open_corpora, open_corpus, require_readable
from whoplays.training.data.library import Library
from whoplays.training.run import RunFolder

_WIDTH: Final = 120


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
    """Fit calibration and thresholds on what runs predict of recordings they were not trained on, for export.

    Args:
        runs: Run folders; of several, each predicts what the ones before it were trained on.
        data: Corpora to fit on.
        out: The run folder that keeps calibration.json; each of the runs keeps what fits the predictions of the others.
        judge: Further corpora to evaluate what was fitted on; none of --data.
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
        raise OptionError("--rule f-measure has no cost of false alarms; leave out --false-alarm-cost")
    cost = 1.0 if false_alarm_cost is None else false_alarm_cost
    if not 0 <= cost <= 1000:
        raise OptionError(f"--false-alarm-cost must be between 0 and 1000, got {cost:g}")
    folders = [RunFolder(path) for path in runs]
    # Where it is kept matters to export alone, which would not miss it.
    for folder in (*folders, RunFolder(out)):
        folder.config()
    names = [folder.name for folder in folders]
    if len(set(names)) < len(names):
        raise OptionError(f"several of these runs are called {max(names, key=names.count)}; rename all but one")
    library = Library(cache)
    _refuse_fitted(data, judge or [])
    fitting = _recordings(data, library)
    import torch  # noqa: PLC0415  takes seconds to load; a wrong option should not

    from whoplays.training.evaluate.calibrate import FitOptions  # noqa: PLC0415
    from whoplays.training.evaluate.calibrate import calibrate as compute  # noqa: PLC0415
    from whoplays.training.evaluate.plan import Recordings  # noqa: PLC0415
    from whoplays.training.report.calibration import tables  # noqa: PLC0415

    torch.set_num_threads(threads)
    others = [Recordings(*_recordings([folder], library)) for folder in judge or ()]
    options = FitOptions(method, rule, cost)
    found = compute(folders, Recordings(*fitting), others, library, RunFolder(out), options)
    console = Console(width=_WIDTH, markup=False)
    for table in tables(found):
        console.print(*table.drawn(_WIDTH))
    console.print(f"kept in {out / 'calibration.json'}", highlight=False, soft_wrap=True)


def _refuse_fitted(data: list[Path], judge: list[Path]) -> None:
    """Refuse to evaluate on what is fitted on; recordings are known by their groups."""
    fitted = {clip.group for folder in data for clip in open_corpus(folder).clips()}
    for folder in judge:
        both = {clip.group for clip in open_corpus(folder).clips()} & fitted
        if both:
            raise OptionError(f"--judge {folder}: {min(both)} is in --data, and nothing is evaluated on what it fits")


def _recordings(folders: list[Path], library: Library) -> tuple[str, list[Clip]]:
    """What corpora are called together, and what of them can be read."""
    clips = [clip for corpus in open_corpora(folders) for clip in corpus.clips()]
    good = require_readable(clips, library, "to evaluate on", map(str, folders))
    return " + ".join(folder.resolve().name for folder in folders), good
