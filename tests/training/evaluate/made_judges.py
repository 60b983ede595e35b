"""Judges that answer by rule, so that what is made of their answers can be foretold."""

from collections.abc import Iterable

import numpy as np

from whoplays.models.labels import CORE, NAMES
from whoplays.training.data.clip import Clip
from whoplays.training.evaluate.candidates import Candidate


class Constant:
    """Gives every window the same probabilities, and counts the windows it was given."""

    def __init__(self, name: str, probabilities: Iterable[float], heard: Iterable[str] = ()) -> None:
        self.name = name
        self.given: list[np.ndarray] = []
        self._probabilities = np.array(list(probabilities), np.float32)
        self._heard = set(heard)

    def has_heard(self, clip: Clip) -> bool:
        return clip.group in self._heard

    def probabilities(self, windows: np.ndarray) -> np.ndarray:
        self.given.append(windows)
        return np.tile(self._probabilities, (len(windows), 1))


class Spectral:
    """Gives each label by how much sounds in a band of its own, in quarters: it hears something, and no instrument."""

    def __init__(self, name: str, level: float) -> None:
        self.name = name
        self._level = level

    def has_heard(self, _clip: Clip) -> bool:
        return False

    def probabilities(self, windows: np.ndarray) -> np.ndarray:
        spectra = np.abs(np.fft.rfft(windows.mean(axis=1))) ** 2
        bands = np.stack([part.sum(axis=1) for part in np.array_split(spectra[:, :6000], len(CORE), axis=1)], axis=1)
        ranks = bands.argsort(axis=1).argsort(axis=1) + 1
        return np.asarray(self._level * ranks / len(CORE), np.float32)


def spectral(name: str, level: float = 1.0) -> Candidate:
    """A candidate of one such judge, of the core labels."""
    return Candidate(CORE, "multi-label", (Spectral(name, level),), np.full(len(CORE), 0.5))


def constant(
    name: str, labels: tuple[str, ...] = tuple(NAMES), share: float = 0.2, heard: Iterable[str] = ()
) -> Candidate:
    """A candidate of one such judge."""
    judge = Constant(name, [share] * len(labels), heard)
    return Candidate(labels, "multi-label", (judge,), np.full(len(labels), 0.5))
