"""Checkpoints: what a run has learnt, kept in a file and read again, and for how long it was trained."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from whoplays.models.errors import DataError
from whoplays.training.console import NOTES, counted
from whoplays.training.data.splits import Splits, refuse_leak
from whoplays.training.files import DAMAGED, atomic_write, reason
from whoplays.training.fit.tagger import Tagger
from whoplays.training.networks.frame_tagger import FrameTagger
from whoplays.training.recipes import Recipe
from whoplays.training.run import Config, RunFolder

_OBSOLETE: Final = "pupil."
"""Weights that checkpoints of earlier versions hold, and networks no more."""


def load(recipe: Recipe, checkpoint: Path) -> Tagger:
    """The network of a checkpoint, for inference.

    Raises:
        DataError: the checkpoint is damaged, or is of another network.
    """
    tagger = Tagger(recipe)
    try:
        tagger.load_state_dict(_weights(checkpoint))
    except DAMAGED as error:
        raise _unusable(checkpoint, error) from error
    return tagger.eval()


def begin_from(tagger: Tagger, base: Path, splits: Splits) -> None:
    """Let training begin with what a published tagger, or another run, has learnt.

    Args:
        base: the file of the tagger's weights, or the folder of a run of the same network, whose labels may be others:
            what it knows of those that are the same is kept.

    Raises:
        DataError: it is damaged, of another network, or was trained on what this run holds out.
    """
    if base.is_file() and isinstance(tagger.network, FrameTagger):
        tagger.network.begin_from(base, tagger.recipe.labels)
        return
    run = RunFolder(base)
    config = run.config()
    refuse_leak(config.seen, splits, base)
    try:
        _take_over(tagger, _weights(run.best_checkpoint()), config.recipe.labels)
    except RuntimeError as error:
        raise DataError(f"{base} is of another network than {tagger.recipe.name}") from error


def _take_over(tagger: Tagger, weights: dict[str, Tensor], labels: tuple[str, ...]) -> None:
    """Weights of a network of these labels; a label that it does not have begins as the mean of those it has."""
    own = tagger.state_dict()
    rows = [labels.index(label) if label in labels else -1 for label in tagger.recipe.labels]
    for name, value in weights.items():
        if (name in own and value.shape != own[name].shape and value.shape[:1] == (len(labels),)) or (
            labels != tagger.recipe.labels and value.shape[:1] == (len(labels),) and "head" in name
        ):
            weights[name] = torch.cat([value, value.mean(dim=0, keepdim=True)])[rows]
    tagger.load_state_dict(weights)


def save(what: dict[str, object], path: Path) -> None:
    """As torch does, but a full disk is raised as an error of the system.

    Raises:
        OSError: it cannot be written.
    """
    try:
        torch.save(what, path)
    except RuntimeError as error:
        raise OSError(" ".join(str(error).split())) from error


def write_checkpoint(tagger: Tagger, run: RunFolder) -> None:
    """Keep a network as the run's last checkpoint: once, when training has ended.

    Raises:
        DataError: the folder cannot be written to.
    """
    with atomic_write(run.last_checkpoint) as unfinished:
        save({"state_dict": tagger.state_dict()}, unfinished)


def is_finished(run: RunFolder, recipe: Recipe) -> bool:
    """Whether a run was trained for all epochs, or for as many as it took until validation no longer improved.

    What is not trained by Lightning's epochs is kept only at its end.

    Raises:
        DataError: the last checkpoint is damaged.
    """
    try:
        kept = _read(run.last_checkpoint)
        epoch = kept.get("epoch")
        stopped = any(state.get("stopped_epoch") for state in kept.get("callbacks", {}).values())
    except (OSError, *DAMAGED) as error:
        raise DataError(f"{run.last_checkpoint} is damaged; delete it and train the run again") from error
    return epoch is None or stopped or epoch + 1 >= recipe.epochs


def has_ended(run: RunFolder, config: Config) -> bool:
    """Whether exactly this training has ended, so that the same again would change nothing.

    Raises:
        DataError: the last checkpoint is damaged.
    """
    return run.last_checkpoint.is_file() and run.config() == config and is_finished(run, config.recipe)


def note_unfinished(run: RunFolder) -> None:
    """Say so where a run was not trained for all its epochs: it can be evaluated and exported all the same."""
    recipe = run.config().recipe
    try:
        finished = is_finished(run, recipe)
    except DataError:
        return  # whoever reads its network says what is wrong
    if not finished:
        NOTES.print(
            f"{run.folder} is unfinished, after {_epochs(run.last_checkpoint, recipe.epochs)} of {recipe.epochs} "
            "epochs; the command that trained it continues"
        )


def training_length(run: RunFolder) -> str:
    """For how long a network was trained, in words: `10 epochs of 8,192 windows`.

    Epochs of runs of the same recipe that it continued from are counted, as far back as their folders are there; of
    one that is not, or is of another recipe, only that there was one is said.
    """
    epochs: dict[int | None, int] = {}
    last = run.config()
    for each in _lineage(run):
        last = each.config()
        windows = last.recipe.epoch_windows
        epochs[windows] = epochs.get(windows, 0) + _epochs(each.best_checkpoint(), last.recipe.epochs)
    length = " and ".join(
        counted(count, "epoch") + (f" of {windows:,} windows" if windows else "") for windows, count in epochs.items()
    )
    before = _base(last)
    return f"{length}, after a run of {_recipe_of(before, last.recipe.name)}" if before else length


def _lineage(run: RunFolder) -> Iterator[RunFolder]:
    """A run, that of the same recipe which it continued from, and so on; none twice, as where a base took its name."""
    name, seen = run.config().recipe.name, set[Path]()
    following: RunFolder | None = run
    while following and following.folder.resolve() not in seen:
        yield following
        seen.add(following.folder.resolve())
        following = _trained(_base(following.config()), name)


def _base(config: Config) -> Path | None:
    """The run that one continued from; not one of which it only used the features."""
    return Path(config.base) if config.base and config.recipe.base is None else None


def _trained(base: Path | None, recipe: str) -> RunFolder | None:
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
        return int(_read(checkpoint).get("epoch", planned - 1)) + 1
    except (OSError, *DAMAGED) as error:
        raise DataError(f"{checkpoint} is damaged; train the run again") from error


def _weights(checkpoint: Path) -> dict[str, Tensor]:
    """All weights of a checkpoint.

    Raises:
        DataError: it is damaged.
    """
    try:
        weights = dict(_read(checkpoint)["state_dict"])
        return {name: value for name, value in weights.items() if not name.startswith(_OBSOLETE)}
    except (OSError, *DAMAGED) as error:
        raise _unusable(checkpoint, error) from error


def _read(checkpoint: Path) -> dict[str, Any]:
    return dict(torch.load(checkpoint, map_location="cpu", weights_only=False))


def _unusable(checkpoint: Path, error: Exception) -> DataError:
    return DataError(f"{checkpoint} cannot be used ({reason(error)}); train the run again")
