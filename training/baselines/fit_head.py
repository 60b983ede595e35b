"""Transfer learning: a new head on frozen features, which are computed once and kept."""

import csv
from time import perf_counter
from typing import Final

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from whoplays.models.errors import DataError
from whoplays.training.base import Base
from whoplays.training.baselines.features import CachedFeatures, cache_key, cached, compute_features
from whoplays.training.baselines.transfer import Transfer, load_frozen_features
from whoplays.training.console import keep_freed_memory
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits
from whoplays.training.files import atomic_write
from whoplays.training.fit.checkpoints import write_checkpoint
from whoplays.training.fit.tagger import Tagger
from whoplays.training.recipes import Recipe
from whoplays.training.run import RunFolder, Timing

_FEATURES: Final = "features.pt"


def fit_head(recipe: Recipe, splits: Splits, library: Library, run: RunFolder, base: Base, *, threads: int) -> Tagger:
    """Fit a new head to the recipe's windows, through the features of `base`; keep the last epoch.

    Features are kept in the run folder: a run that was cut off computes none twice.

    Raises:
        DataError: `base` is of another recipe, or was trained on what this run holds out.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    torch.manual_seed(recipe.seed)
    begun = perf_counter()
    tagger = Tagger(recipe).eval()
    network = tagger.network
    if not isinstance(network, Transfer):
        raise DataError(f"recipe {recipe.name} has no frozen features")
    load_frozen_features(network, recipe, splits, base)
    features = cached(
        run.folder / _FEATURES,
        cache_key(recipe, splits, base.weights),
        lambda: compute_features(network.base, recipe, splits, library),
    )
    computed = perf_counter()
    losses = _fit(tagger, network.head, features)
    epoch_s = (perf_counter() - computed) / recipe.epochs
    # As Lightning logs losses, so that curves are drawn of them.
    with atomic_write(run.folder / "log" / "metrics.csv") as unfinished, unfinished.open("w", newline="") as file:
        csv.writer(file).writerows([("epoch", "train_loss"), *enumerate(losses)])
    run.write_timing(Timing(prepare_s=computed - begun, epoch_s=epoch_s))
    write_checkpoint(tagger, run)
    return tagger


def _fit(tagger: Tagger, head: nn.Module, features: CachedFeatures) -> list[float]:
    """Fit the head; return the mean loss of each epoch."""
    recipe = tagger.recipe
    optimiser = torch.optim.Adam(head.parameters(), recipe.learning_rate)
    batches = DataLoader(TensorDataset(*features), recipe.batch_windows, shuffle=True)
    losses: list[float] = []
    torch.manual_seed(recipe.seed)
    head.train()
    for _ in range(recipe.epochs):
        total = 0.0
        for batch, target in batches:
            loss = tagger.loss(head(batch), target)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += loss.item() * len(batch)
        losses.append(total / len(features.targets))
    head.eval()
    return losses
