"""How far a run has come, together with those that it went on from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from whoplays.models.errors import DataError
from whoplays.training.console import NOTES
from whoplays.training.damaged import DAMAGED
from whoplays.training.fit.checkpoints import is_finished
from whoplays.training.run import Config, RunFolder


def note_unfinished(run: RunFolder) -> None:
    """Say so where a run has not learnt for all its epochs: it can be judged and exported all the same."""
    recipe = run.config().recipe
    try:
        finished = is_finished(run, recipe)
    except (OSError, *DAMAGED):
        return  # whoever reads its network says what is wrong
    if not finished:
        NOTES.print(
            f"{run.folder} is unfinished, after {_epochs(run.last_checkpoint, recipe.epochs)} of {recipe.epochs} "
            "epochs; the command that trained it goes on"
        )


def training_length(run: RunFolder) -> str:
    """For how long a network was trained, in words: `10 epochs of 8,192 windows`.

    Epochs of runs of the same recipe that it went on from are counted, as far back as their folders are there; of one
    that is not, or is of another recipe, it is told that there was one.
    """
    epochs: dict[int | None, int] = {}
    last = run.config()
    for each in _line(run):
        last = each.config()
        windows = last.recipe.epoch_windows
        epochs[windows] = epochs.get(windows, 0) + _epochs(each.best_checkpoint(), last.recipe.epochs)
    counted = " and ".join(_worded(count, windows) for windows, count in epochs.items())
    before = _base(last)
    return f"{counted}, after a run of {_recipe_of(before, last.recipe.name)}" if before else counted


def _line(run: RunFolder) -> Iterator[RunFolder]:
    """A run, that of the same recipe which it went on from, and so on; none twice, as where a base took its name."""
    name, seen = run.config().recipe.name, set[Path]()
    following: RunFolder | None = run
    while following and following.folder.resolve() not in seen:
        yield following
        seen.add(following.folder.resolve())
        following = _there(_base(following.config()), name)


def _base(config: Config) -> Path | None:
    """The run that one went on from; not one whose features it only heard."""
    return Path(config.base) if config.base and config.recipe.base is None else None


def _there(base: Path | None, recipe: str) -> RunFolder | None:
    """A base that can be read and is of this recipe."""
    run = RunFolder(base) if base else None
    try:
        if run and run.config().recipe.name == recipe:
            run.best_checkpoint()
            return run
    except DataError:
        pass
    return None


def _recipe_of(run: Path, own: str) -> str:
    try:
        name = RunFolder(run).config().recipe.name
    except DataError:
        name = own
    return "the same recipe" if name == own else name


def _epochs(checkpoint: Path, planned: int) -> int:
    """After how many epochs a checkpoint was written; where it does not say, all is learnt at once.

    Raises:
        DataError: it is damaged.
    """
    try:
        kept: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=False)
        return int(kept.get("epoch", planned - 1)) + 1
    except (OSError, *DAMAGED) as error:
        raise DataError(f"{checkpoint} is damaged; train the run again") from error


def _worded(epochs: int, windows: int | None) -> str:
    counted = f"{epochs} epoch{'s' if epochs > 1 else ''}"
    return f"{counted} of {windows:,} windows" if windows else counted
