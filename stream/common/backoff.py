"""Attempts to reconnect, and the pauses between them."""

import random
import threading
import time
from collections.abc import Iterator
from typing import Final

FIRST_PAUSE_S: Final = 0.25
MAX_PAUSE_S: Final = 30.0
RANDOMIZATION: Final = 0.2
STEADY_S: Final = 10.0


class Backoff:
    """Attempts with pauses that double from a quarter of a second to half a minute, each a fifth more or less.

    The pauses begin anew after an attempt that lasted ten seconds.

    Args:
        stopped: ends attempts, and the pause that is under way.
    """

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped: Final = stopped
        self._pause_s = FIRST_PAUSE_S
        self._at_once = False

    def attempts(self) -> Iterator[None]:
        """Yield for each attempt, until stopped; whoever has succeeded leaves the loop."""
        while not self._stopped.is_set():
            began_s = time.monotonic()
            yield
            if time.monotonic() - began_s > STEADY_S:
                self._pause_s = FIRST_PAUSE_S
            if not self._at_once:
                self._stopped.wait(self._pause_s * random.uniform(1 - RANDOMIZATION, 1 + RANDOMIZATION))  # noqa: S311
                self._pause_s = min(2 * self._pause_s, MAX_PAUSE_S)
            self._at_once = False

    def skip_pause(self) -> None:
        """Let the next attempt begin at once."""
        self._at_once = True
