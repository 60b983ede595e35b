"""Models that predict by rule, so that what comes of it is known, and runs that were never trained."""

from collections.abc import Iterable
from pathlib import Path

import lightning
import numpy as np
import torch

from whoplays.models.labels import CORE, NAMES
from whoplays.training import recipes
from whoplays.training.data.clip import Clip
from whoplays.training.data.splits import Splits
from whoplays.training.evaluate.predictors import Model
from whoplays.training.fit.tagger import Tagger
from whoplays.training.recipes import Recipe
from whoplays.training.run import RunFolder, configure


class Constant:
    """Gives every window the same probabilities, and keeps the windows it was given."""

    def __init__(self, name: str, probabilities: Iterable[float], seen: Iterable[str] = ()) -> None:
        self.name = name
        self.given: list[np.ndarray] = []
        self._probabilities = np.array(list(probabilities), np.float32)
        self._seen = set(seen)

    def was_trained_on(self, clip: Clip) -> bool:
        return clip.group in self._seen

    def probabilities(self, windows: np.ndarray) -> np.ndarray:
        self.given.append(windows)
        return np.tile(self._probabilities, (len(windows), 1))


class Spectral:
    """Gives each label by how much sounds in a band of its own, in quarters: it hears something, and no instrument."""

    def __init__(self, name: str, level: float) -> None:
        self.name = name
        self._level = level

    def was_trained_on(self, _clip: Clip) -> bool:
        return False

    def probabilities(self, windows: np.ndarray) -> np.ndarray:
        spectra = np.abs(np.fft.rfft(windows.mean(axis=1))) ** 2
        bands = np.stack([part.sum(axis=1) for part in np.array_split(spectra[:, :6000], len(CORE), axis=1)], axis=1)
        ranks = bands.argsort(axis=1).argsort(axis=1) + 1
        return np.asarray(self._level * ranks / len(CORE), np.float32)


def spectral(name: str, level: float = 1.0) -> Model:
    """A model of one such network, of the core labels."""
    return Model(CORE, "multi-label", (Spectral(name, level),), np.full(len(CORE), 0.5))


def constant(name: str, labels: tuple[str, ...] = tuple(NAMES), share: float = 0.2, seen: Iterable[str] = ()) -> Model:
    """A model of one such network."""
    predictor = Constant(name, [share] * len(labels), seen)
    return Model(labels, "multi-label", (predictor,), np.full(len(labels), 0.5))


def untrained(
    folder: Path, seen: list[Clip], recipe: Recipe | None = None, *, seed: int = 1, spread: float = 1.0
) -> RunFolder:
    """A run as if it had been trained on some clips, with a network that has learnt nothing.

    Args:
        spread: what its logits are multiplied by: it predicts nearly the same of all windows, and ties of thresholds
            are then broken by the last bits.
    """
    recipe = recipe or recipes.find("band-mobilenet")
    run = RunFolder(folder)
    run.write_config(configure(recipe, (), Splits(seen, [], [])))
    run.checkpoints.mkdir(parents=True)
    lightning.seed_everything(seed, verbose=False)
    weights = Tagger(recipe).state_dict()
    if spread != 1:
        weights["network.window_head.3.weight"] *= spread
    torch.save({"state_dict": weights}, run.last_checkpoint)
    return run
