"""Gathering windows that are inferred together."""

import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from stream.ring import Audio
from stream.windower import Missed, Span, Windower


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows to be inferred together, in the order in which they were heard."""

    audio: Audio
    """`[n, channels, samples]`, valid until the next batch is gathered."""
    spans: tuple[Span, ...]
    missed: Missed | None
    """What was missed after these windows."""
    ready_ns: int
    """Monotonic time at which the gathering was done."""
    queue: int
    """Complete windows that still wait."""


class Batcher:
    """Gathers what is ready and never waits for more, into rows that are allocated once.

    Args:
        channels: of a window.
        window_samples: of a window.
        sizes: the batch sizes that the recogniser has warmed, ascending, from 1.
    """

    def __init__(self, channels: int, window_samples: int, sizes: tuple[int, ...]) -> None:
        self._sizes: Final = sizes
        self._rows: Final = np.empty((sizes[-1], channels, window_samples), np.float32)

    def gather(self, windower: Windower) -> Batch:
        """Take the largest warmed batch that is ready, or what comes before a miss."""
        spans: list[Span] = []
        missed = None
        for row in self._rows[: self._size(windower.ready)]:
            piece = windower.take(row)
            if isinstance(piece, Span):
                spans.append(piece)
                continue
            missed = piece
            break
        return Batch(self._rows[: len(spans)], tuple(spans), missed, time.monotonic_ns(), windower.ready)

    def _size(self, ready: int) -> int:
        return max((size for size in self._sizes if size <= ready), default=0)
