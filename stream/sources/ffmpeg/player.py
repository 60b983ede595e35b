"""The thread that hands decoded audio out in real time."""

import threading
import time
from queue import Queue
from types import TracebackType
from typing import Any, Final, Self

import av
import msgspec
from av.container import InputContainer

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Block
from whoplays.stream.sources.ffmpeg.decoder import Decoder, Piece, silence
from whoplays.stream.sources.ffmpeg.demux import MediaSpec, broken, first_audio, open_container, refuse_early_end
from whoplays.stream.sources.worker import Send

SURVEY_SAMPLES: Final = 10 * SAMPLE_RATE_HZ
MOST_LATE_NS: Final = 250_000_000
CUSHION_NS: Final = 1_000_000_000
CATCH_UP_NS: Final = 2_000_000
"""In each survey of 10 s: 200 ppm, more than the clocks of sound cards differ."""


class Schedule:
    """Plays a broadcast as any player does: from its first sample on, in real time; what comes early waits.

    Servers send several seconds at once to whoever connects (Icecast's burst, HLS's segments). They are played when
    they are due, so nothing is heard before its time, nor more at once than can be judged; the burst becomes the
    cushion that outlasts a stall. After a stall what is overdue is played at once, with the time it was due.

    Every 10 s of samples their least lateness since the survey before tells three things apart:

    - All were late, by much: the samples that should have come in between never will. They are missing.
    - All were late, by little: the sender's clock is slower than ours. The schedule follows it.
    - All waited for more than 1 s: the sender's clock may be faster than ours. The schedule goes a little faster, or
      the lag would grow for days.

    So the sample index stays true to the time, and the lag is bounded by the burst.
    """

    def __init__(self) -> None:
        self._start_ns: int | None = None
        self._samples = 0
        self._least_late_ns: int | None = None
        self._survey_at = SURVEY_SAMPLES

    def due_ns(self, samples: int, arrived_ns: int | None) -> int:
        """When the last one of the next samples is due.

        Args:
            samples: how many.
            arrived_ns: when they arrived; None if they stand for what was lost.
        """
        if self._start_ns is None:
            self._start_ns = (arrived_ns or 0) - _duration_ns(samples)
        self._samples += samples
        due_ns = self._start_ns + _duration_ns(self._samples)
        if arrived_ns is not None:
            late_ns = arrived_ns - due_ns
            self._least_late_ns = late_ns if self._least_late_ns is None else min(self._least_late_ns, late_ns)
        return due_ns

    def missing(self) -> int:
        """How many samples have to be made up for before the next ones: they never came."""
        if self._samples < self._survey_at or self._least_late_ns is None or self._start_ns is None:
            return 0
        late_ns, self._least_late_ns = self._least_late_ns, None
        self._survey_at = self._samples + SURVEY_SAMPLES
        if late_ns > MOST_LATE_NS:
            return late_ns * SAMPLE_RATE_HZ // 1_000_000_000
        if late_ns > 0:
            self._start_ns += late_ns
        elif late_ns < -CUSHION_NS:
            self._start_ns -= CATCH_UP_NS
        return 0


def _duration_ns(samples: int) -> int:
    return samples * 1_000_000_000 // SAMPLE_RATE_HZ


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


def play(send: Send, media: dict[str, Any]) -> None:
    """Play media in real time; returns when it ends on purpose.

    Nothing here ends a read that blocks for ever: the parent ends the process.

    Args:
        send: where its audio goes.
        media: a `MediaSpec`, as JSON carries it.

    Raises:
        SourceError: it cannot be heard, or no more.
        SessionOverError: the sender began anew.
    """
    spec = msgspec.convert(media, MediaSpec)
    with open_container(spec) as container, Player(send, broadcast=spec.network) as player:
        try:
            _decode(spec, container, player)
        except av.error.FFmpegError as error:
            raise broken(spec, error) from error
        refuse_early_end(spec, container)


def _decode(spot: MediaSpec, container: InputContainer, player: Player) -> None:
    stream = first_audio(spot, container)
    decoder = Decoder(spot, stream)
    for packet in container.demux(stream):
        arrived_ns = time.monotonic_ns()
        for piece in decoder.decode(packet):
            player.put(piece, arrived_ns)
    for piece in decoder.finish():
        player.put(piece, time.monotonic_ns())
