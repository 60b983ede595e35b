"""A source that is read in a thread of its own, as the engine does."""

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, Self, TypeVar

import numpy as np

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.sources.base import SessionOverError, Source

DEADLINE_S: Final = 20
AnySource = TypeVar("AnySource", bound=Source)


class Recorder(Generic[AnySource]):
    """Reads a source until the source ends or the context is left; each session's blocks are kept apart."""

    def __init__(self, source: AnySource) -> None:
        self.source: Final = source
        self.sessions: Final[list[list[Block]]] = [[]]
        self.error: SourceError | None = None
        self._thread: Final = threading.Thread(target=self._read, name="test-recorder")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.source.stop()
        self.join()

    def join(self) -> None:
        """Wait for the end of the source."""
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def wait_for_samples(self, samples: int, session: int = 0) -> None:
        """Wait until a session has so many."""
        wait_until(lambda: len(self.sessions) > session and self.samples(session) >= samples)

    def samples(self, session: int = -1) -> int:
        """How many a session has."""
        return sum(block.audio.shape[1] for block in list(self.sessions[session]))

    def audio(self, session: int = -1) -> Audio:
        """What a session has, `[2, n]`."""
        return joined(self.sessions[session])

    def lost_samples(self, session: int = -1) -> int:
        """How many of them stand for lost ones."""
        return sum(block.audio.shape[1] for block in self.sessions[session] if block.lost)

    def _read(self) -> None:
        session_over = True
        while session_over:
            session_over = False
            try:
                for block in self.source.blocks():
                    self.sessions[-1].append(block)
            except SessionOverError:
                self.sessions.append([])
                session_over = True
            except SourceError as error:
                self.error = error


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def joined(blocks: list[Block]) -> Audio:
    """The audio of blocks, `[2, n]`."""
    return np.concatenate([block.audio for block in blocks], axis=1)
