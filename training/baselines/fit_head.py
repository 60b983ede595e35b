"""Transfer learning: a new head on frozen features, which are heard once and kept."""

import csv
from pathlib import Path
from time import perf_counter
from typing import Final

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from whoplays.training.baselines.features import Heard, hear, kept, key_of
from whoplays.training.baselines.frozen import frozen
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits
from whoplays.training.fit.checkpoints import keep_checkpoint
from whoplays.training.fit.memory import keep_freed_memory
from whoplays.training.fit.tagger import Tagger
from whoplays.training.fit.timing import Timing, keep_timing
from whoplays.training.recipe import Recipe
from whoplays.training.run import RunFolder
from whoplays.training.whole import whole

_FEATURES: Final = "features.pt"


def teach(recipe: Recipe, splits: Splits, library: Library, run: RunFolder, base: Path, *, threads: int) -> Tagger:
    """Teach a new head what the recipe's windows hold, heard through the features of `base`; keep the last epoch.

    Features are kept in the run folder: a run that was cut off hears nothing twice.

    Raises:
        DataError: `base` is of another recipe or no such file, or has heard what this run keeps for judging.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    torch.manual_seed(recipe.seed)
    begun = perf_counter()
    tagger, network, weights = frozen(recipe, splits, base)
    key = key_of(recipe, splits, weights)
    heard = kept(run.folder / _FEATURES, key, lambda: hear(network.base, recipe, splits, library))
    listened = perf_counter()
    losses = _learn(tagger, network.head, heard)
    epoch_s = (perf_counter() - listened) / recipe.epochs
    _log(run, losses)
    keep_timing(run, Timing(prepare_s=listened - begun, epoch_s=epoch_s))
    keep_checkpoint(tagger, run)
    return tagger


def _learn(tagger: Tagger, head: nn.Module, heard: Heard) -> list[float]:
    """Teach the head; return the mean loss of each epoch."""
    recipe = tagger.recipe
    optimiser = torch.optim.Adam(head.parameters(), recipe.learning_rate)
    batches = DataLoader(TensorDataset(*heard), recipe.batch_windows, shuffle=True)
    losses: list[float] = []
    torch.manual_seed(recipe.seed)
    head.train()
    for _ in range(recipe.epochs):
        total = 0.0
        for features, target in batches:
            loss = tagger.loss(head(features), target)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += loss.item() * len(features)
        losses.append(total / len(heard.targets))
    head.eval()
    return losses


def _log(run: RunFolder, losses: list[float]) -> None:
    """Log losses as Lightning does, so that curves are drawn of them."""
    with whole(run.folder / "log" / "metrics.csv") as unfinished, unfinished.open("w", newline="") as file:
        csv.writer(file).writerows([("epoch", "train_loss"), *enumerate(losses)])
