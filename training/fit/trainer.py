"""Training: a recipe and splits in, a run folder out; a run that is there already is resumed."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
    ProgressBar,
    Timer,
    TQDMProgressBar,
)
from lightning.pytorch.loggers import CSVLogger

from whoplays.models.errors import OptionError
from whoplays.training.base import Base
from whoplays.training.console import NOTES, keep_freed_memory
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits, refuse_leak
from whoplays.training.fit.checkpoints import begin_from, is_finished, keep_between, load
from whoplays.training.fit.tagger import Tagger
from whoplays.training.fit.training_data import TrainingData
from whoplays.training.recipes import Recipe
from whoplays.training.run import RunFolder, Timing
from whoplays.training.windows.shards import PreparedWindows

_AVERAGED_SHARE: Final = 0.6
"""Over how much of a run weights are averaged. A fifth of those that it began with is left in the mean: what is between
a network that was trained further and the one it was, hears what neither was trained on better than both (Wortsman et
al., "Robust fine-tuning of zero-shot models", 2022)."""
# Warnings of Lightning and torchmetrics about what is meant to be as it is.
_IGNORED: Final = (
    "`isinstance\\(treespec, LeafSpec\\)` is deprecated",
    "Your `IterableDataset` has `__len__` defined",
    "The '.*_dataloader' does not have many workers",
    "No positive samples found in target",
    "Checkpoint directory .* exists and is not empty",
)


def fit(
    recipe: Recipe,
    splits: Splits,
    library: Library,
    run: RunFolder,
    *,
    accelerator: str,
    threads: int,
    prepared: PreparedWindows | None = None,
    base: Base | None = None,
    prepared_s: float = 0.0,
) -> Tagger:
    """Train until the recipe's last epoch or until validation no longer improves; return the best network.

    Args:
        prepared: what mixtures are drawn from, for a recipe of these.
        base: a network to begin from, instead of an untrained one.
        accelerator: `auto`, `cpu` or `gpu`.
        threads: for computation on the CPU; part of what makes a run repeatable.
        prepared_s: how long it took to open the prepared windows, for the run's timing.

    Raises:
        DataError: the splits hold too little for the recipe, the base is of another network or was trained on what
            this run holds out, or what is there already is damaged.
        OptionError: there is no such accelerator here.
    """
    check_accelerator(accelerator)
    keep_freed_memory()
    torch.set_num_threads(threads)
    lightning.seed_everything(recipe.seed, workers=True, verbose=False)
    data = TrainingData(recipe, splits, library, prepared)
    tagger = Tagger(recipe)
    # Two thirds faster on a CPU.
    tagger.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if base is not None:
        held_out = {clip.group for clip in splits.test}
        refuse_leak(base.seen & held_out if recipe.keeps_labels else base.seen, splits, base.name)
        begin_from(tagger, base)
        if recipe.keeps_labels:
            tagger.keep(set(base.labels) - data.labels)
        if recipe.network == "frame-tagger" and base.is_tagger:
            tagger.retain(base.weights)
    begun = deepcopy(tagger.state_dict()) if base and recipe.base_share else {}
    resume = run.last_checkpoint if run.last_checkpoint.is_file() else None
    if resume and is_finished(run, recipe):
        return load(recipe, run.best_checkpoint())
    timer = Timer()  # counts on where a run is resumed
    with _quiet():
        trainer = _trainer(recipe, run, accelerator, timer, validated=data.has_validation)
        _run(trainer, tagger, data, resume)
    if begun:
        keep_between(recipe, run, begun)
    run.write_timing(Timing(prepare_s=prepared_s, epoch_s=timer.time_elapsed("train") / trainer.current_epoch))
    return load(recipe, run.best_checkpoint())


def check_accelerator(accelerator: str) -> None:
    """See that there is something to compute on.

    Raises:
        OptionError: there is not.
    """
    try:
        with _quiet():
            lightning.Trainer(accelerator=accelerator, devices=1, logger=False, enable_checkpointing=False)
    except MisconfigurationException as error:
        raise OptionError(f"cannot compute on {accelerator} here: {' '.join(str(error).split())}") from error


def _run(trainer: lightning.Trainer, tagger: Tagger, data: TrainingData, resume: Path | None) -> None:
    try:
        trainer.fit(tagger, datamodule=data, ckpt_path=resume)
    except SystemExit as leaving:
        # Lightning makes Ctrl-C a failure that says nothing.
        if not trainer.interrupted:
            raise
        NOTES.print()  # the progress bar leaves its line open
        message = f"stopped in epoch {trainer.current_epoch + 1} of {trainer.max_epochs}; the same command continues"
        raise KeyboardInterrupt(message) from leaving


def _trainer(recipe: Recipe, run: RunFolder, accelerator: str, timer: Timer, *, validated: bool) -> lightning.Trainer:
    return lightning.Trainer(
        accelerator=accelerator,
        devices=1,
        max_epochs=recipe.epochs,
        deterministic=True,
        logger=CSVLogger(run.folder, name="", version=f"log{len(run.logs) or ''}"),
        callbacks=[*callbacks(recipe, run, validated=validated), timer],
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        limit_val_batches=None if validated else 0,
        enable_model_summary=False,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep tips and these warnings off the terminal; all others are shown."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for warning in _IGNORED:
            warnings.filterwarnings("ignore", warning)
        yield


def callbacks(recipe: Recipe, run: RunFolder, *, validated: bool) -> list[Callback]:
    """The last epoch is always kept; the best one, and an early stop, where there is something to validate with."""
    callbacks: list[Callback] = [
        ModelCheckpoint(run.checkpoints, filename=run.last_checkpoint.stem, enable_version_counter=False),
        _Bar(refresh_rate=10) if sys.stdout.isatty() else _Lines(),
    ]
    if recipe.one_cycle:
        callbacks.append(EMAWeightAveraging(decay=1 - 1 / (_AVERAGED_SHARE * _steps(recipe))))
    if validated and not recipe.one_cycle:
        callbacks.append(
            ModelCheckpoint(run.checkpoints, filename="best", monitor="validation_loss", enable_version_counter=False)
        )
    if validated and recipe.patience_epochs is not None:
        callbacks.append(EarlyStopping("validation_loss", patience=recipe.patience_epochs))
    return callbacks


def _steps(recipe: Recipe) -> int:
    """In the whole of a run with epochs of so many windows."""
    return max(2, recipe.epochs * (recipe.epoch_windows or 0) // recipe.batch_windows)


class _Bar(TQDMProgressBar):
    """For a terminal, on whose standard output Lightning draws it."""

    def get_metrics(self, trainer: lightning.Trainer, tagger: lightning.LightningModule) -> dict[str, Any]:
        """Losses alone: as version of a log, its folder's name was shown."""
        return {name: value for name, value in super().get_metrics(trainer, tagger).items() if name != "v_num"}


class _Lines(ProgressBar):
    """A line for every epoch on standard error; a progress bar by name only, or Lightning would add one of its own."""

    def on_train_epoch_end(self, trainer: lightning.Trainer, _tagger: lightning.LightningModule) -> None:
        """Print which epoch is over, and its losses."""
        losses = (f"{name.replace('_', ' ')} {float(loss):.4f}" for name, loss in trainer.progress_bar_metrics.items())
        NOTES.print(f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}: {', '.join(losses)}")
