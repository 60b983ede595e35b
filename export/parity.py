"""Parity: the graph under onnxruntime computes what the network computes under torch."""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from whoplays.models.card import MAX_DIFFERENCE
from whoplays.models.errors import ModelError
from whoplays.models.signal import CHANNELS, WINDOW_SAMPLES
from whoplays.training.fit.tagger import Tagger

_RANDOM_WINDOWS: Final = 4
_BATCH: Final = 4


class Parity(NamedTuple):
    """The largest differences of probabilities, on each kind of window."""

    random: float
    real: float

    @property
    def worst(self) -> float:
        """The larger of the two."""
        return max(self.random, self.real)


def prove(tagger: Tagger, graph: Path, real: NDArray[np.float32]) -> Parity:
    """Compare graph and network on noise and on real windows `float32 [windows, 2, 132300]`.

    Raises:
        ModelError: some probability differs by 1e-4 or more.
    """
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    levels = np.logspace(-3, 0, _RANDOM_WINDOWS, dtype=np.float32)[:, None, None]
    noise = levels * rng.uniform(-1, 1, (_RANDOM_WINDOWS, CHANNELS, WINDOW_SAMPLES)).astype(np.float32)
    parity = Parity(_difference(tagger, session, noise), _difference(tagger, session, real))
    if parity.worst >= MAX_DIFFERENCE:
        raise ModelError(f"the graph differs from the network by {parity.worst:.1e}; below {MAX_DIFFERENCE} is asked")
    return parity


def _difference(tagger: Tagger, session: onnxruntime.InferenceSession, windows: NDArray[np.float32]) -> float:
    """The largest difference over batches of four and over each window alone."""
    worst = 0.0
    for size in (1, _BATCH):
        for start in range(0, len(windows), size):
            batch = windows[start : start + size]
            (found,) = session.run(None, {"audio": batch})
            with torch.inference_mode():
                wanted = tagger(torch.from_numpy(batch)).numpy()
            worst = max(worst, float(np.abs(found - wanted).max()))
    return worst
