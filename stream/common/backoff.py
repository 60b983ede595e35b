"""Pauses between attempts to reconnect."""

import random
import time
from typing import Final

FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 30.0
JITTER: Final = 0.2
STEADY_S: Final = 10.0


class Backoff:
    """Pauses that double from a quarter of a second to half a minute, each a fifth more or less.

    They begin anew after an attempt that lasted ten seconds.
    """

    def __init__(self) -> None:
        self._pause_s = FIRST_PAUSE_S
        self._begun_s = time.monotonic()

    def begin(self) -> None:
        """Note that an attempt begins."""
        self._begun_s = time.monotonic()

    def pause_s(self) -> float:
        """How long to wait after the attempt."""
        if time.monotonic() - self._begun_s > STEADY_S:
            self._pause_s = FIRST_PAUSE_S
        pause_s = self._pause_s * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  no secret
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return pause_s
