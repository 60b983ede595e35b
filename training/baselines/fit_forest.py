"""Fitting a forest: scikit-learn's trees, turned into a network."""

from time import perf_counter
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from whoplays.models.errors import DataError
from whoplays.training.baselines.features import compute_features
from whoplays.training.baselines.forest import Forest, Nodes
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits
from whoplays.training.fit.checkpoints import write_checkpoint
from whoplays.training.fit.tagger import Tagger
from whoplays.training.recipes import Recipe
from whoplays.training.run import RunFolder, Timing

_LEAF: Final = -1


def fit_forest(recipe: Recipe, splits: Splits, library: Library, run: RunFolder, *, threads: int) -> Tagger:
    """Fit the recipe's trees to its windows, and keep them as the run's checkpoint.

    Raises:
        DataError: no recording in the training split plays one of the recipe's labels.
    """
    torch.set_num_threads(threads)
    tagger = Tagger(recipe).eval()
    forest = tagger.network
    if not isinstance(forest, Forest):
        raise DataError(f"recipe {recipe.name} grows no forest")
    begun = perf_counter()
    features, targets = compute_features(forest.front, recipe, splits, library)
    computed = perf_counter()
    trees = RandomForestClassifier(recipe.trees, random_state=recipe.seed, n_jobs=threads)
    trees.fit(features.numpy(), targets.numpy().astype(np.int64))
    forest.plant(to_nodes(trees, len(recipe.labels)))
    run.write_timing(Timing(prepare_s=computed - begun, epoch_s=perf_counter() - computed))
    write_checkpoint(tagger, run)
    return tagger


def to_nodes(fitted: Any, labels: int) -> Nodes:
    """All trees of a fitted `RandomForestClassifier` with an output for each label, one after the other.

    scikit-learn compares in double precision; limits are rounded down, so that the same float32 features go the same
    way.
    """
    trees = [each.tree_ for each in fitted.estimators_]
    offsets = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    left, right = (
        np.concatenate([_children(getattr(tree, side), at) for tree, at in zip(trees, offsets, strict=True)])
        for side in ("children_left", "children_right")
    )
    return Nodes(
        roots=torch.from_numpy(offsets),
        features=torch.from_numpy(np.concatenate([tree.feature for tree in trees]).clip(min=0).astype(np.int64)),
        limits=torch.from_numpy(_rounded_down(np.concatenate([tree.threshold for tree in trees]))),
        left=torch.from_numpy(left),
        right=torch.from_numpy(right),
        shares=torch.from_numpy(np.concatenate([_shares(tree, fitted.classes_, labels) for tree in trees])),
    )


def _children(children: NDArray[np.int64], offset: int) -> NDArray[np.int64]:
    """Where to go from each node, counted over all trees; a leaf stays where it is."""
    stay = np.arange(len(children))
    return np.where(children == _LEAF, stay, children) + offset


def _rounded_down(limits: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above each limit."""
    near = limits.astype(np.float32)
    return np.where(near > limits, np.nextafter(near, np.float32(-np.inf)), near)


def _shares(tree: Any, classes: Any, labels: int) -> NDArray[np.float32]:
    """`[nodes, labels]`; scikit-learn knows the classes 0 and 1 of each label, or only the one that it has seen."""
    known = classes if labels > 1 else [classes]
    columns = [tree.value[:, k, : len(seen)] @ np.asarray(seen, float) for k, seen in enumerate(known)]
    return np.stack(columns, axis=1).astype(np.float32)
