"""A source that is listened to in a thread of its own, as the engine does."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import numpy as np

from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.base import SessionOverError
from whoplays.stream.sources.rtp.source import open_rtp

DEADLINE_S: Final = 20


class Listening:
    """Hears `rtp://…` until it is left; each session's blocks are kept apart."""

    def __init__(self, uri: str = "rtp://127.0.0.1:0", selection: ChannelSelection | None = None) -> None:
        self.source: Final = open_rtp(uri, selection or ChannelSelection())
        self.sessions: Final[list[list[Block]]] = [[]]
        self._stopped = False
        self._thread: Final = threading.Thread(target=self._listen, name="test-listening")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        self.source.stop()
        self._thread.join(DEADLINE_S)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline_s, self.source.counts
            time.sleep(0.01)

    def wait_for_samples(self, samples: int, session: int = 0) -> None:
        """Wait until a session has so many."""
        self.wait_for(lambda: len(self.sessions) > session and self.samples(session) >= samples)

    def samples(self, session: int = 0) -> int:
        """How many a session has."""
        return sum(block.audio.shape[1] for block in list(self.sessions[session]))

    def audio(self, session: int = 0) -> Audio:
        """What a session has, `[2, n]`."""
        return np.concatenate([block.audio for block in self.sessions[session]], axis=1)

    def _listen(self) -> None:
        while not self._stopped:
            try:
                for block in self.source.blocks():
                    self.sessions[-1].append(block)
            except SessionOverError:
                self.sessions.append([])
