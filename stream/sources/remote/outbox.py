"""What waits to be sent."""

import threading
from collections import deque
from typing import Final

from whoplays.stream.sources.remote.packer import Outgoing

CAPACITY: Final = 100
"""5 s, as the packer cuts audio."""
POLL_S: Final = 0.1


class Outbox:
    """A bounded queue from one thread to another; when it is full, the oldest audio is given up and counted."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.dropped_samples = 0
        self._capacity: Final = capacity
        self._waiting: Final = deque[Outgoing]()
        self._changed: Final = threading.Condition()
        self._hurried = False
        self._closed = False

    def put(self, outgoing: Outgoing, *, wait: bool) -> None:
        """Add a message.

        Args:
            outgoing: the message.
            wait: wait for room instead of giving up the oldest; not once it is to hurry.
        """
        with self._changed:
            while wait and not self._hurried and len(self._waiting) >= self._capacity:
                self._changed.wait(POLL_S)
            while len(self._waiting) >= self._capacity:
                self.dropped_samples += self._waiting.popleft().samples
            self._waiting.append(outgoing)
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Outgoing | None:
        """The oldest message; None if there was none in time."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting), timeout_s)
            if not self._waiting:
                return None
            self._changed.notify_all()
            return self._waiting.popleft()

    @property
    def finished(self) -> bool:
        """Whether it is closed and everything was taken."""
        with self._changed:
            return self._closed and not self._waiting

    def hurry(self) -> None:
        """Let nobody wait for room any more; takes no lock, so that a signal handler may call it."""
        self._hurried = True

    def close(self) -> None:
        """Say that nothing will be added."""
        self._closed = True
