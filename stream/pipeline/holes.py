"""What a source lost, as its writer tells and its reader asks."""

import threading
from collections import deque
from typing import Final, NamedTuple

from whoplays.stream.audio.block import Cause

MOST_UNTOLD: Final = 1000


class Hole(NamedTuple):
    """Samples `start` to `end`, half open, that stand for what was lost."""

    start: int
    end: int
    cause: Cause


class Holes:
    """The holes of one session in their order, for one writer and one reader."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._untold: list[Hole] = []
        self._told: Final = deque[Hole]()

    def add(self, start: int, end: int, cause: Cause) -> None:
        """Note a hole. One that goes on from the one before makes that longer, until the reader has been told."""
        with self._lock:
            last = self._untold[-1] if self._untold else None
            # A reader that is so far behind has lost by now what lies between the holes as well.
            if last and ((last.end, last.cause) == (start, cause) or len(self._untold) == MOST_UNTOLD):
                self._untold[-1] = Hole(last.start, end, last.cause)
            else:
                self._untold.append(Hole(start, end, cause))

    def tell(self) -> list[Hole]:
        """The holes that the reader has not been told yet."""
        if not self._untold:
            return []
        with self._lock:
            told, self._untold = self._untold, []
        self._told.extend(told)
        return told

    def within(self, start: int, end: int) -> int:
        """How many of the samples `start` to `end` lie in holes; for the reader, who never asks backwards."""
        while self._told and self._told[0].end <= start:
            self._told.popleft()
        with self._lock:
            holes = (*self._told, *self._untold)
        return sum(max(0, min(hole.end, end) - max(hole.start, start)) for hole in holes)
