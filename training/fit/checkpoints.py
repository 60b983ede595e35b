"""Checkpoints: what a run has learnt, kept in a file and read again."""

from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from whoplays.models.errors import DataError
from whoplays.training.damaged import DAMAGED, reason
from whoplays.training.fit.saving import save
from whoplays.training.fit.tagger import Tagger
from whoplays.training.networks.mel_cnn import DEEPENS
from whoplays.training.recipe import Recipe
from whoplays.training.run import Config, RunFolder
from whoplays.training.whole import whole

_PUPIL: Final = "pupil."


def load(recipe: Recipe, checkpoint: Path) -> Tagger:
    """The network of a checkpoint, ready to judge with.

    Raises:
        DataError: the checkpoint is damaged, or is of another network.
    """
    tagger = Tagger(recipe)
    try:
        tagger.load_state_dict(_begun(tagger) | _without_pupil(_state(checkpoint)))
    except DAMAGED as error:
        raise _useless(checkpoint, error) from error
    return tagger.eval()


def take_over(tagger: Tagger, checkpoint: Path) -> None:
    """Let a network begin with what another has learnt.

    Raises:
        DataError: the checkpoint is damaged.
        RuntimeError: it is of another network.
    """
    learnt = _state(checkpoint)
    own = tagger.state_dict()
    # What was learnt of teachers goes on too, where they know as many classes.
    pupil = {name: value for name, value in own.items() if name.startswith(_PUPIL)}
    if all(name in learnt and learnt[name].shape == value.shape for name, value in pupil.items()):
        pupil = {name: learnt[name] for name in pupil}
    tagger.load_state_dict(_begun(tagger) | _without_pupil(learnt) | pupil)


def keep_checkpoint(tagger: Tagger, run: RunFolder) -> None:
    """Keep a network as the run's last checkpoint: once, when all is learnt.

    Raises:
        DataError: the folder cannot be written to.
    """
    with whole(run.last_checkpoint) as unfinished:
        save({"state_dict": tagger.state_dict()}, unfinished)


def has_ended(run: RunFolder, config: Config) -> bool:
    """Whether exactly this training has ended, so that the same again would change nothing.

    Raises:
        DataError: the last checkpoint is damaged.
    """
    return run.last_checkpoint.is_file() and run.config() == config and nothing_left(run, config.recipe)


def nothing_left(run: RunFolder, recipe: Recipe) -> bool:
    """As `is_finished`, of a run that has a checkpoint.

    Raises:
        DataError: it is damaged.
    """
    try:
        return is_finished(run, recipe)
    except (OSError, *DAMAGED) as error:
        raise DataError(f"{run.last_checkpoint} is damaged; delete it and train the run again") from error


def is_finished(run: RunFolder, recipe: Recipe) -> bool:
    """Whether a run has learnt for all epochs, or for as many as it took until validation no longer improved.

    What does not learn by Lightning's epochs is kept only at its end.

    Raises:
        DAMAGED: the last checkpoint is no checkpoint.
    """
    kept = dict(torch.load(run.last_checkpoint, map_location="cpu", weights_only=False))
    epoch = kept.get("epoch")
    stopped = any(state.get("stopped_epoch") for state in kept.get("callbacks", {}).values())
    return epoch is None or stopped or epoch + 1 >= recipe.epochs


def _without_pupil(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if not name.startswith(_PUPIL)}


def _state(checkpoint: Path) -> dict[str, Tensor]:
    """All weights of a checkpoint.

    Raises:
        DataError: it is damaged.
    """
    try:
        return dict(torch.load(checkpoint, map_location="cpu", weights_only=False)["state_dict"])
    except (OSError, *DAMAGED) as error:
        raise _useless(checkpoint, error) from error


def _useless(checkpoint: Path, error: Exception) -> DataError:
    return DataError(f"{checkpoint} cannot be used ({reason(error)}); train the run again")


def _begun(tagger: Tagger) -> dict[str, Tensor]:
    """What a checkpoint of a less deep network lacks, and what adds nothing to it."""
    return {name: value for name, value in tagger.state_dict().items() if DEEPENS in name}
