"""Training: a recipe and splits in, a run folder out; what is there already is gone on with."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, Timer
from lightning.pytorch.loggers import CSVLogger

from whoplays.models.errors import DataError, OptionError
from whoplays.training.console import NOTES
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits, refuse_heard
from whoplays.training.fit.checkpoints import load, nothing_left, take_over
from whoplays.training.fit.data_module import Batches
from whoplays.training.fit.memory import keep_freed_memory
from whoplays.training.fit.progress_bar import progress_bar
from whoplays.training.fit.tagger import Tagger
from whoplays.training.fit.timing import Timing, keep_timing
from whoplays.training.recipe import Recipe
from whoplays.training.run import RunFolder
from whoplays.training.windows.shards import Bank

# What Lightning and torchmetrics say of things that are meant to be as they are.
_REMARKS: Final = (
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
    bank: Bank | None = None,
    base: RunFolder | None = None,
    prepared_s: float = 0.0,
) -> Tagger:
    """Train until the recipe's last epoch or until validation no longer improves; return the best network.

    Args:
        bank: what bands are mixed from, for a recipe of that material.
        base: a run of the same network to go on from, instead of one that has learnt nothing.
        accelerator: `auto`, `cpu` or `gpu`.
        threads: for computation on the CPU; part of what makes a run repeatable.
        prepared_s: how long it took to open the bank, for the run's timing.

    Raises:
        DataError: the splits hold too little for the recipe, the base is of another network or has heard too much, or
            what is there already is damaged.
        OptionError: there is no such accelerator here.
    """
    check_accelerator(accelerator)
    keep_freed_memory()
    torch.set_num_threads(threads)
    lightning.seed_everything(recipe.seed, workers=True, verbose=False)
    batches = Batches(recipe, splits, library, bank)
    tagger = Tagger(recipe, bank.windows.lessons.shape[1] if bank else 0)
    # Two thirds faster on a CPU.
    tagger.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if base is not None:
        _go_on_from(tagger, base, splits)
    resume = run.last_checkpoint if run.last_checkpoint.is_file() else None
    if resume and nothing_left(run, recipe):
        return load(recipe, run.best_checkpoint())
    timer = Timer()  # counts on where a run is resumed
    with _quiet():
        trainer = _trainer(recipe, run, accelerator, timer, validated=batches.has_validation)
        _run(trainer, tagger, batches, resume)
    keep_timing(run, Timing(prepare_s=prepared_s, epoch_s=timer.time_elapsed("train") / trainer.current_epoch))
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


def _run(trainer: lightning.Trainer, tagger: Tagger, batches: Batches, resume: Path | None) -> None:
    try:
        trainer.fit(tagger, datamodule=batches, ckpt_path=resume)
    except SystemExit as leaving:
        # Lightning makes Ctrl-C a failure that says nothing.
        if not trainer.interrupted:
            raise
        NOTES.print()  # the progress bar leaves its line open
        told = f"stopped in epoch {trainer.current_epoch + 1} of {trainer.max_epochs}; the same command goes on"
        raise KeyboardInterrupt(told) from leaving


def _go_on_from(tagger: Tagger, base: RunFolder, splits: Splits) -> None:
    config = base.config()
    refuse_heard(config.heard, splits, base.folder)
    strange = DataError(f"{base.folder} is of another network or other labels than {tagger.recipe.name}")
    if config.recipe.labels != tagger.recipe.labels:
        raise strange
    try:
        take_over(tagger, base.best_checkpoint())
    except RuntimeError as error:
        raise strange from error


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
    """Keep tips and remarks off the terminal; warnings of anything else are shown."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for remark in _REMARKS:
            warnings.filterwarnings("ignore", remark)
        yield


def callbacks(recipe: Recipe, run: RunFolder, *, validated: bool) -> list[Callback]:
    """The last epoch is always kept; the best one, and an early stop, where there is something to validate with."""
    callbacks: list[Callback] = [
        ModelCheckpoint(run.checkpoints, filename=run.last_checkpoint.stem, enable_version_counter=False),
        progress_bar(),
    ]
    if validated and not recipe.one_cycle:
        callbacks.append(
            ModelCheckpoint(run.checkpoints, filename="best", monitor="validation_loss", enable_version_counter=False)
        )
    if validated and recipe.patience_epochs is not None:
        callbacks.append(EarlyStopping("validation_loss", patience=recipe.patience_epochs))
    return callbacks
