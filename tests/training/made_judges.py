"""Judges that answer by rule, so that what is made of their answers can be foretold."""

from collections.abc import Iterable

import numpy as np

from models.labels import NAMES
from training.candidates import Candidate
from training.clip import Clip


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


def constant(
    name: str, labels: tuple[str, ...] = tuple(NAMES), share: float = 0.2, heard: Iterable[str] = ()
) -> Candidate:
    """A candidate of one such judge."""
    judge = Constant(name, [share] * len(labels), heard)
    return Candidate(labels, "multi-label", (judge,), np.full(len(labels), 0.5))
