"""Checkpoints: what a run has learnt, kept in a file and read again, and for how long it was trained."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import Tensor

from whoplays.models.errors import DataError
from whoplays.training.base import Base
from whoplays.training.console import NOTES, counted
from whoplays.training.files import DAMAGED, atomic_write, reason
from whoplays.training.fit.tagger import Tagger
from whoplays.training.networks.frame_tagger import FrameTagger
from whoplays.training.recipes import Recipe
from whoplays.training.run import Config, RunFolder


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


def begin_from(tagger: Tagger, base: Base) -> None:
    """Let training begin with what a published tagger, a model or another run has learnt.

    What the base knows of a label is taken over; one that it does not know begins as the mean of those that it does.

    Raises:
        DataError: the base's weights are damaged, or of another network.
    """
    if base.is_tagger and isinstance(tagger.network, FrameTagger):
        tagger.network.begin_from(base.weights, tagger.recipe.labels)
        return
    weights = _weights(base.weights)
    count = len(base.labels)
    rows = [base.labels.index(label) if label in base.labels else count for label in tagger.recipe.labels]
    for name, value in weights.items():
        if "head" in name and len(value) == count:
            weights[name] = torch.cat([value, value.mean(dim=0, keepdim=True)])[rows]
    try:
        tagger.load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(f"{base.name} is of another network than {tagger.recipe.name}") from error


def write_weights(tagger: Tagger, path: Path) -> None:
    """Write a network's weights as safetensors, for training that begins with them.

    Raises:
        OSError: it cannot be written.
    """
    own = {name: value.contiguous() for name, value in tagger.network.state_dict().items()}
    metadata = {"network": tagger.recipe.network, "labels": json.dumps(tagger.recipe.labels)}
    path.write_bytes(to_safetensors(own, metadata))  # the package itself writes files that nobody else may read


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


def keep_between(recipe: Recipe, run: RunFolder, begun: Mapping[str, Tensor]) -> None:
    """Keep, as the run's best, a network between the one that was trained and the one that training began with.

    It hears what neither was trained on better than both (Wortsman et al., "Robust fine-tuning of zero-shot models",
    2022): `base_share` of its weights are those of the beginning; not of the head of steps, which no tagger has.

    Args:
        begun: the state of the tagger that training began with.

    Raises:
        DataError: the folder cannot be written to, or the last checkpoint is damaged.
    """
    trained, share = _weights(run.last_checkpoint), recipe.base_share
    between = {
        name: value if "frame_head" in name or not value.is_floating_point() else torch.lerp(value, begun[name], share)
        for name, value in trained.items()
    }
    with atomic_write(run.checkpoints / "best.ckpt") as unfinished:
        save({"state_dict": between, "epoch": recipe.epochs - 1}, unfinished)


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
    """For how long a network was trained, and from what, in words: `10 epochs of 8,192 windows, from fold1`."""
    config = run.config()
    recipe = config.recipe
    length = counted(_epochs(run.best_checkpoint(), recipe.epochs), "epoch")
    windows = f" of {recipe.epoch_windows:,} windows" if recipe.epoch_windows else ""
    return f"{length}{windows}{f', from {Path(config.base).name}' if config.base else ''}"


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
        if checkpoint.suffix == ".safetensors":
            return {f"network.{name}": value for name, value in load_file(checkpoint).items()}
        return dict(_read(checkpoint)["state_dict"])
    except (OSError, SafetensorError, *DAMAGED) as error:
        raise _unusable(checkpoint, error) from error


def _read(checkpoint: Path) -> dict[str, Any]:
    return dict(torch.load(checkpoint, map_location="cpu", weights_only=False))


def _unusable(checkpoint: Path, error: Exception) -> DataError:
    return DataError(f"{checkpoint} cannot be used ({reason(error)}); train the run again")
