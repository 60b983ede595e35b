"""The thread that hands decoded audio out in real time."""

import threading
import time
from queue import Queue
from types import TracebackType
from typing import Final, Self

from whoplays.stream.audio.block import Block
from whoplays.stream.sources.child import Send
from whoplays.stream.sources.ffmpeg.decoder import Piece, silence
from whoplays.stream.sources.ffmpeg.schedule import Schedule

MOST_PIECES: Final = 400
"""About 10 s of most codecs, 20 s of any: whoever is further ahead has to wait."""


class Player:
    """Sends pieces when they are due, from `__enter__` to `__exit__`, which waits until the last one is sent.

    Args:
        send: where they go.
        broadcast: whether they are made elsewhere in their own time, so that samples can be missing and clocks differ;
            a file's cannot.
    """

    def __init__(self, send: Send, *, broadcast: bool) -> None:
        self._send: Final = send
        self._broadcast: Final = broadcast
        self._schedule: Final = Schedule()
        self._pieces: Final = Queue[tuple[Piece, int] | None](MOST_PIECES)
        self._thread: Final = threading.Thread(target=self._play, name="whoplays-player")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pieces.put(None)
        self._thread.join()

    def put(self, piece: Piece, arrived_ns: int) -> None:
        """Have a piece played after all before it; waits while too many do."""
        self._pieces.put((piece, arrived_ns))

    def _play(self) -> None:
        while (item := self._pieces.get()) is not None:
            piece, arrived_ns = item
            if self._broadcast:
                for stand_in in silence(self._schedule.missing(), "network"):
                    self._play_piece(stand_in, None)
            self._play_piece(piece, None if piece.lost else arrived_ns)

    def _play_piece(self, piece: Piece, arrived_ns: int | None) -> None:
        due_ns = self._schedule.due_ns(piece.audio.shape[1], arrived_ns)
        time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
        self._send(Block(piece.audio, due_ns, piece.lost))
