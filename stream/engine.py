"""One stream from its source to its messages."""

import time
from collections.abc import Generator, Iterable, Iterator
from typing import Final

from models.errors import SourceError, WhoplaysError
from models.signal import CHANNELS, SAMPLE_RATE_HZ, WINDOW_SAMPLES
from stream.batcher import Batcher
from stream.clock import SampleClock
from stream.feeder import Feeder
from stream.judge import Inferred, Judge
from stream.level import SILENCE_DBFS
from stream.messages import Counters, End, Message, ModelInfo, Reason, SourceInfo, State, Status
from stream.publisher import Publisher
from stream.recognizer import Recognizer
from stream.ring import RingBuffer
from stream.session import Session
from stream.source import Source
from stream.windower import Windower

RING_WINDOWS: Final = 4
HEARTBEAT_NS: Final = 1_000_000_000
STALLED_NS: Final = 2_000_000_000
WAKE_S: Final = 0.1


class Engine:
    """Listens to one source and says who plays: source thread -> ring -> windows -> inference -> messages.

    The engine runs in the thread that iterates over `run`. A live source does not wait for it: when it falls more than
    three windows behind, the oldest windows are given up and a `gap` says so. Any other source waits.

    Args:
        source: what to listen to; once.
        recognizer: what to listen with.
        stream: the stable id of the stream.
        hop_samples: from the start of one window to the next; from 1 to the window's length.
        silence_dbfs: below this level a window is silence.
        publisher: where the messages go as well; whoever made it enters and leaves it.
    """

    def __init__(
        self,
        source: Source,
        recognizer: Recognizer,
        *,
        stream: str = "main",
        hop_samples: int = WINDOW_SAMPLES,
        silence_dbfs: float = SILENCE_DBFS,
        publisher: Publisher | None = None,
    ) -> None:
        self._source: Final = source
        self._recognizer: Final = recognizer
        self._publisher: Final = publisher
        self._ring: Final = RingBuffer(CHANNELS, RING_WINDOWS * WINDOW_SAMPLES)
        self._clock: Final = SampleClock(SAMPLE_RATE_HZ)
        self._windower: Final = Windower(self._ring, WINDOW_SAMPLES, hop_samples)
        self._batcher: Final = Batcher(CHANNELS, WINDOW_SAMPLES, recognizer.warmed)
        self._session: Final = Session(stream)
        self._judge: Final = Judge(self._session, recognizer, self._clock, source.clock, silence_dbfs)
        self._stopped = False
        self._over = False
        self._status_due_ns = 0

    def stop(self) -> None:
        """Make `run` end soon, with an `end` message; may be called from any thread or signal handler."""
        self._stopped = True

    def run(self) -> Generator[Message]:
        """Every message, as it is published. Closing the generator ends the stream as `stop` does.

        Raises:
            SourceError: the audio is damaged, or shorter than a window; the `end` message has said so already.
        """
        with Feeder(self._source, self._ring, self._clock) as feeder:
            try:
                yield from self._say(self._listen())
                self._check_end(feeder)
            except GeneratorExit:
                self._farewell("stopped")
                raise
            except WhoplaysError as error:
                yield from self._farewell("failed", str(error))
                raise
            yield from self._farewell("stopped" if self._stopped else "finished")

    def _say(self, messages: Iterable[Message]) -> Iterator[Message]:
        for message in messages:
            if self._publisher:
                self._publisher.send(message, wait=not self._source.live)
            yield message

    def _listen(self) -> Iterator[Message]:
        yield from self._heartbeat()
        while not self._stopped and not (self._ring.closed and not self._windower.ready):
            self._windower.wait(WAKE_S)
            yield from self._infer()
            yield from self._heartbeat()

    def _infer(self) -> Iterator[Message]:
        batch = self._batcher.gather(self._windower)
        start_ns = time.monotonic_ns()
        if batch.spans:
            probabilities = self._recognizer.recognize(batch.audio)
            yield from self._judge.judge(Inferred(batch, probabilities, start_ns, time.monotonic_ns()))
        if batch.missed:
            yield self._judge.gap(batch.missed)

    def _check_end(self, feeder: Feeder) -> None:
        feeder.check()
        if not self._stopped and not self._judge.windows:
            heard_s, window_s = self._ring.written / SAMPLE_RATE_HZ, WINDOW_SAMPLES / SAMPLE_RATE_HZ
            raise SourceError(
                f"{self._source.name} ended after {heard_s:.2f} s; a window needs {window_s:.0f} s of audio"
            )

    def _farewell(self, reason: Reason, detail: str = "") -> list[Message]:
        """The last messages, published before anyone who iterates can leave."""
        self._over = True
        return list(self._say(self._last_words(reason, detail)))

    def _last_words(self, reason: Reason, detail: str) -> Iterator[Message]:
        yield from self._judge.finish()
        yield self._status()
        yield End(**self._session.head(End), reason=reason, detail=detail, final=self._ring.written)

    def _heartbeat(self) -> Iterator[Status]:
        if time.monotonic_ns() >= self._status_due_ns:
            self._status_due_ns = time.monotonic_ns() + HEARTBEAT_NS
            yield self._status()

    def _state(self) -> State:
        if self._over:
            return "ended"
        if not self._ring.written:
            return "connecting"
        if not self._windower.ready and time.monotonic_ns() - self._clock.newest_ns > STALLED_NS:
            return "stalled"
        return "silent" if self._judge.silent else "listening"

    def _status(self) -> Status:
        card = self._recognizer.card
        last_seq = dict(self._session.last_seq)
        last_seq.pop("status", None)
        return Status(
            **self._session.head(Status),
            source=SourceInfo(name=self._source.name, uri=self._source.uri),
            state=self._state(),
            sample_rate_hz=SAMPLE_RATE_HZ,
            window_samples=WINDOW_SAMPLES,
            hop_samples=self._windower.hop_samples,
            model=ModelInfo(name=card.name, version=card.version, sha256=card.sha256[:12]),
            labels=self._recognizer.labels,
            thresholds=self._recognizer.thresholds,
            release=self._recognizer.card.hysteresis.release,
            provider=self._recognizer.provider,
            counters=self._counters(),
            lag_ns=self._judge.lag_ns,
            last_seq=last_seq,
        )

    def _counters(self) -> Counters:
        return Counters(
            heard_samples=self._ring.written,
            windows=self._judge.windows,
            lost_samples=self._judge.lost_samples,
            overflows=self._judge.gaps,
            dropped_windows=self._windower.dropped,
            dropped_messages=self._publisher.dropped if self._publisher else 0,
        )
