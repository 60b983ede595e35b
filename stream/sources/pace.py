"""Playing recorded audio as if it were live."""

import threading
import time
from collections.abc import Iterable, Iterator
from typing import Final

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio, Block

GRID_SAMPLES: Final = SAMPLE_RATE_HZ // 100


def in_real_time(pieces: Iterable[Audio], stopped: threading.Event) -> Iterator[Block]:
    """Hand each piece out when its last sample is due, by an absolute schedule that starts with the first.

    Pieces are cut at every multiple of 10 ms, so that a window that closes there is complete at once. Lateness never
    adds up: after a pause, what is overdue comes out at once, with the time it was due.

    Args:
        pieces: `[2, n]` float32, any n.
        stopped: ends the playing.
    """
    start_ns = time.monotonic_ns()
    played = 0
    for piece in pieces:
        for part in _cut(piece, played):
            played += part.shape[1]
            due_ns = start_ns + played * 1_000_000_000 // SAMPLE_RATE_HZ
            if stopped.wait(max(0, due_ns - time.monotonic_ns()) / 1e9):
                return
            yield Block(part, due_ns)


def _cut(piece: Audio, played: int) -> Iterator[Audio]:
    at = 0
    while at < piece.shape[1]:
        to_grid = GRID_SAMPLES - (played + at) % GRID_SAMPLES
        yield piece[:, at : at + to_grid]
        at += to_grid
