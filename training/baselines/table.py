"""The table of the original project: every row trained on one grouped split and evaluated on the same windows."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
import torch

from whoplays.models.errors import DataError
from whoplays.training.baselines.rows import Row
from whoplays.training.console import keep_freed_memory
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library, stamp
from whoplays.training.evaluate.evaluate import evaluate
from whoplays.training.evaluate.plan import Recordings
from whoplays.training.evaluate.predictors import model_of_runs
from whoplays.training.evaluate.results import Report
from whoplays.training.files import write_json
from whoplays.training.fit.checkpoints import is_finished, load
from whoplays.training.recipes import Recipe
from whoplays.training.report.plots import draw_confusions
from whoplays.training.run import RunFolder, Timing

_THRESHOLD: Final = 0.5

Train = Callable[[Row, RunFolder], None]
"""Trains a row into a run folder, or goes on with it."""


class Made(NamedTuple):
    """A row as trained, with its results."""

    row: Row
    recipe: Recipe
    """As run."""
    parameters: int
    timing: Timing | None
    reports: tuple[Report, ...]
    """One for each of the data that it was evaluated on."""


def make_table(
    rows: Sequence[Row], runs: Path, train: Train, data: list[Recordings], library: Library, out: Path, threads: int
) -> Iterator[Made]:
    """Train each row or take the run that is there, evaluate all on the same windows, and keep the reports.

    Args:
        rows: in an order in which a row stands after the one that it learns from.
        out: keeps reports and confusion matrices, a folder for each row; what is kept is not evaluated again.

    Raises:
        DataError: a run cannot be used, or was trained on what it would be evaluated on.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    for row in rows:
        run = RunFolder(runs / row.name)
        if not _finished(run):
            train(row, run)
        recipe = run.config().recipe
        if recipe.name != row.recipe:
            raise DataError(f"{run.folder} is a run of {recipe.name}, not of {row.recipe}; give another --runs")
        reports = tuple(_report(run, recordings, library, out / row.name) for recordings in data)
        network = load(recipe, run.best_checkpoint()).network
        yield Made(row, recipe, sum(each.numel() for each in network.parameters()), run.timing(), reports)


def _finished(run: RunFolder) -> bool:
    """Whether training is over. A damaged checkpoint is deleted, and its row trained again."""
    if not run.last_checkpoint.is_file():
        return False
    try:
        return is_finished(run, run.config().recipe)
    except DataError:
        # Otherwise training would try to go on from it.
        run.last_checkpoint.unlink()
        return False


def _report(run: RunFolder, recordings: Recordings, library: Library, folder: Path) -> Report:
    """The results at thresholds of 0.5; as kept, where neither the run nor the recordings have changed."""
    config = run.config()
    seen = config.seen & {clip.group for clip in recordings.clips}
    if seen:
        raise DataError(
            f"{run.folder} was trained on {min(seen)}, which the table is evaluated on; give another --runs"
        )
    path = folder / f"{recordings.name}.json"
    key = _key(run.best_checkpoint(), recordings.clips)
    kept = _kept(path)
    if kept is not None and kept.key == key:
        return kept.report
    model = model_of_runs([run], np.full(len(config.recipe.labels), _THRESHOLD))
    found = evaluate([model], recordings.clips, library, recordings.name)
    write_json(path, _Kept(key=key, report=found))
    try:
        draw_confusions(found, folder)
    except OSError as error:
        raise DataError(f"{folder} cannot keep the results: {error.strerror}") from error
    return found


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A report, and what it depends on."""

    key: str
    report: Report


def _kept(path: Path) -> _Kept | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _key(checkpoint: Path, clips: list[Clip]) -> str:
    digest = hashlib.sha256(checkpoint.read_bytes())
    for clip in clips:
        digest.update(stamp(clip.path).encode() + clip.described() + clip.source.encode())
    return digest.hexdigest()
