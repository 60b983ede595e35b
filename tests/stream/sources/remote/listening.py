"""A source that is listened to in a thread, as by the engine."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.stream.sources.remote.make_packets import joined
from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.base import SessionOverError
from whoplays.stream.sources.remote.source import RemoteSource, open_remote

PATIENCE_S = 20
ANY_PORT = "zmq://127.0.0.1:0"


class Listening:
    """What was heard so far, by session."""

    def __init__(self, source: RemoteSource) -> None:
        self.source = source
        self.sessions: list[list[Block]] = [[]]
        self.error: SourceError | None = None
        self.thread = threading.Thread(target=self._listen)

    def audio(self, session: int = -1) -> Audio:
        return joined(self.sessions[session])

    def heard(self, session: int = -1) -> int:
        """Samples of a session."""
        return sum(block.audio.shape[1] for block in list(self.sessions[session]))

    def bound(self) -> str:
        """The address, once it is bound."""
        wait_until(lambda: not self.source.endpoint.endswith("*"))
        return self.source.endpoint

    def _listen(self) -> None:
        over = True
        while over:
            over = False
            try:
                for block in self.source.blocks():
                    self.sessions[-1].append(block)
            except SessionOverError:
                self.sessions.append([])
                over = True
            except SourceError as error:
                self.error = error


@contextmanager
def listening(uri: str = ANY_PORT) -> Iterator[Listening]:
    source = open_remote(uri, ChannelSelection())
    listener = Listening(source)
    listener.thread.start()
    try:
        yield listener
    finally:
        source.stop()
        listener.thread.join()


def wait_until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
