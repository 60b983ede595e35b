"""From streams to messages: whatever is ready is inferred, judged and published, in one thread."""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import groupby
from typing import Final, Literal

from models.errors import WhoplaysError
from models.signal import CHANNELS, WINDOW_SAMPLES
from stream.batcher import Batch, Batcher
from stream.habits import Habits
from stream.hearing import Hearing
from stream.judge import Inferred
from stream.messages import Message
from stream.opening import Opening
from stream.publisher import Publisher
from stream.recognizer import Recognizer
from stream.stream import Stream

WAKE_S: Final = 0.1


class Engine:
    """Listens to streams and says who plays: source threads -> rings -> windows -> inference -> messages.

    The engine runs in the thread that iterates over `run`. A live source does not wait for it: when inference cannot
    keep up, the oldest windows are given up and a `gap` says so. Any other source waits.

    Args:
        publisher: where the messages go as well; whoever made it enters and leaves it.
        lasting: go on without any stream, until `stop`.
    """

    def __init__(self, publisher: Publisher | None = None, *, lasting: bool = False) -> None:
        self.beats = 0
        """How often the engine has gone round: while it grows, nothing hangs."""
        self._publisher: Final = publisher
        self._lasting: Final = lasting
        self._bell: Final = threading.Event()
        self._streams: Final[dict[str, Stream]] = {}
        self._waiting: Final[dict[str, Stream]] = {}
        self._left: Final[list[Stream]] = []
        self._batchers: Final[dict[int, Batcher]] = {}
        self._asked: Final = deque[Callable[[], None]]()
        self._stopped = False

    def add(self, opening: Opening, recognizer: Recognizer, habits: Habits) -> None:
        """Listen to one more stream, in the place of the one of that name if there is one; from any thread."""
        self._ask(lambda: self._add(Stream(opening, recognizer, habits, self._bell)))

    def remove(self, name: str) -> None:
        """Listen no longer to a stream; from any thread."""
        self._ask(lambda: self._remove(name))

    def stop(self) -> None:
        """Make `run` end soon: what was heard is judged, then each stream says `end`. From any thread or handler."""
        self._stopped = True
        self._bell.set()

    def run(self) -> Generator[Message]:
        """Every message, as it is published. Closing the generator ends the streams as `stop` does, undrained.

        Raises:
            WhoplaysError: the model fails; every `end` message has said so already.
        """
        try:
            yield from self._go_round()
        except GeneratorExit:
            self._say_farewell("stopped", "")
            raise
        except WhoplaysError as error:
            yield from self._say_farewell("failed", str(error))
            raise
        finally:
            self._leave_all()

    def check(self) -> None:
        """Raise what went wrong with the first stream that failed, after `run`."""
        for stream in (*self._left, *self._streams.values()):
            if stream.failure:
                raise stream.failure

    def _go_round(self) -> Iterator[Message]:
        while True:
            self._bell.clear()
            self._do_asked()
            if self._stopped:
                self._stop_all()
            idle = True
            for messages in self._infer():
                idle = False
                yield from messages
            for stream in self._current():
                yield from self._say(stream, stream.follow(self._dropped))
            self.beats += 1
            if self._over:
                return
            if idle:
                self._bell.wait(WAKE_S)

    @property
    def _over(self) -> bool:
        if self._current() or (not self._stopped and (self._waiting or self._asked)):
            return False
        return self._stopped or not self._lasting

    @property
    def _dropped(self) -> int:
        return self._publisher.dropped if self._publisher else 0

    def _current(self) -> list[Stream]:
        """Streams that have not said `end`, those that were removed first."""
        return [stream for stream in (*self._left, *self._streams.values()) if not stream.over]

    def _infer(self) -> Iterator[Iterator[Message]]:
        """Messages about a batch for each model that is ready for one."""
        ready = [stream for stream in self._current() if stream.hearing.windower.ready]
        for key, streams in groupby(sorted(ready, key=_model), key=_model):
            together = list(streams)
            recognizer = together[0].recognizer
            if key not in self._batchers:
                self._batchers[key] = Batcher(CHANNELS, WINDOW_SAMPLES, recognizer.warmed)
            batch = self._batchers[key].gather([stream.hearing for stream in together])
            yield self._judge(batch, recognizer, {id(stream.hearing): stream for stream in together})

    def _judge(self, batch: Batch, recognizer: Recognizer, streams: dict[int, Stream]) -> Iterator[Message]:
        for hearing, inferred in _inferred(batch, recognizer):
            yield from self._say(streams[id(hearing)], hearing.judge.judge(inferred))
        for hearing, missed in batch.losses:
            yield from self._say(streams[id(hearing)], [hearing.overload(missed)])

    def _say(self, stream: Stream, messages: Iterable[Message]) -> Iterator[Message]:
        for message in messages:
            if self._publisher:
                self._publisher.send(message, wait=not stream.live)
            yield message

    def _say_farewell(self, reason: Literal["stopped", "failed"], detail: str) -> list[Message]:
        """The last messages of all, published before anyone who iterates can leave."""
        streams = self._current()
        return [m for s in streams for m in self._say(s, s.farewell(reason, self._dropped, detail))]

    def _ask(self, wish: Callable[[], None]) -> None:
        self._asked.append(wish)
        self._bell.set()

    def _do_asked(self) -> None:
        while self._asked:
            self._asked.popleft()()
        for name in self._waiting.keys() - {stream.name for stream in self._left if not stream.over}:
            self._streams[name] = self._waiting.pop(name)
            self._streams[name].start()

    def _add(self, stream: Stream) -> None:
        """Let a stream wait until the one whose place it takes has said `end`."""
        self._remove(stream.name)
        self._waiting[stream.name] = stream

    def _remove(self, name: str) -> None:
        self._waiting.pop(name, None)
        self._left[:] = [stream for stream in self._left if not stream.over or stream.failure]
        if name in self._streams:
            stream = self._streams.pop(name)
            stream.stop()
            self._left.append(stream)

    def _stop_all(self) -> None:
        for stream in self._current():
            stream.stop()

    def _leave_all(self) -> None:
        streams = (*self._left, *self._streams.values())
        for stream in streams:
            stream.stop()
        for stream in streams:
            stream.join()


def _model(stream: Stream) -> int:
    return id(stream.recognizer)


def _inferred(batch: Batch, recognizer: Recognizer) -> Iterator[tuple[Hearing, Inferred]]:
    """Each window of a batch with what the recogniser makes of it, and whose it is."""
    if not batch.pieces:
        return
    start_ns = time.monotonic_ns()
    probabilities = recognizer.recognize(batch.audio)
    end_ns = time.monotonic_ns()
    for (hearing, span), audio, row in zip(batch.pieces, batch.audio, probabilities, strict=True):
        yield (
            hearing,
            Inferred(
                span=span,
                audio=audio,
                probabilities=row,
                closed_ns=hearing.clock.heard_ns(span.end),
                lost_samples=hearing.holes.within(span.start, span.end),
                ready_ns=batch.ready_ns,
                start_ns=start_ns,
                end_ns=end_ns,
                batch=len(batch.pieces),
                queue=hearing.windower.ready,
            ),
        )
