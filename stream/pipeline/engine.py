"""From streams to messages: whatever is ready is inferred, judged and published, in one thread."""

import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, Literal, NamedTuple

from whoplays.models.errors import WhoplaysError
from whoplays.models.signal import CHANNELS, WINDOW_SAMPLES
from whoplays.stream.pipeline.batches import Batch, Batcher, infer
from whoplays.stream.pipeline.options import Habits
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.stream import Stream
from whoplays.stream.pubsub.messages import Message
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.sources.registry import Opening

WAKE_S: Final = 0.1


class Wanted(NamedTuple):
    """A stream to listen to."""

    opening: Opening
    recognizer: Recognizer
    habits: Habits


class Change(NamedTuple):
    """What is to be listened to, and what no longer."""

    added: list[Stream]
    removed: set[str]


class Engine:
    """Listens to streams and says who plays: source threads -> rings -> windows -> inference -> messages.

    The engine runs in the thread that iterates over `run`. A live source does not wait for it: when inference cannot
    keep up, the oldest windows are given up and a `gap` says so. Any other source waits.

    Args:
        publisher: where the messages go as well; whoever made it enters and leaves it.
    """

    def __init__(self, publisher: Publisher | None = None) -> None:
        self._publisher: Final = publisher
        self._bell: Final = threading.Event()
        self._streams: Final[dict[str, Stream]] = {}
        self._waiting: Final[list[Stream]] = []
        self._left: Final[list[Stream]] = []
        self._batchers: Final[dict[int, Batcher]] = {}
        self._asked: Final = deque[Change]()
        self._stopped = False

    def add(self, opening: Opening, recognizer: Recognizer, habits: Habits) -> None:
        """Listen to one more stream; from any thread."""
        self.change([Wanted(opening, recognizer, habits)])

    def change(self, wanted: Sequence[Wanted], unwanted: Iterable[str] = ()) -> None:
        """Listen to some streams, and no longer to those of these names, or to those whose names are taken.

        Who is new begins when who leaves has said `end`, and so left its port or device. From any thread.
        """
        streams = [Stream(*each, self._bell) for each in wanted]
        self._asked.append(Change(streams, {*unwanted, *(stream.name for stream in streams)}))
        self._bell.set()

    def stop(self) -> None:
        """Make `run` end soon: what was heard is judged, then each stream says `end`. From any thread or handler."""
        # A flag alone: the bell's lock may be held by the very code that a signal has interrupted.
        self._stopped = True

    def run(self) -> Generator[Message]:
        """Every message, as it is published. Closing the generator ends the streams as `stop` does, undrained.

        So does Ctrl-C, where it raises a KeyboardInterrupt.

        Raises:
            WhoplaysError: the model fails; every `end` message has said so already, as of anything else that is raised.
        """
        try:
            yield from self._go_round()
        except (GeneratorExit, KeyboardInterrupt):
            self._say_farewell("stopped", "")
            raise
        except Exception as error:
            yield from self._say_farewell("failed", _in_one_line(error))
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
            for stream in self._current():
                yield from self._say(stream, stream.follow(self._dropped))
            idle = True
            for messages in self._infer():
                idle = False
                yield from messages
            if self._over:
                return
            if idle:
                self._bell.wait(WAKE_S)

    @property
    def _over(self) -> bool:
        return not self._current() and (self._stopped or not (self._waiting or self._asked))

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
        for hearing, inferred in infer(batch, recognizer):
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

    def _do_asked(self) -> None:
        while self._asked:
            added, removed = self._asked.popleft()
            self._waiting[:] = [*(each for each in self._waiting if each.name not in removed), *added]
            for name in removed & self._streams.keys():
                self._streams[name].stop()
                self._left.append(self._streams.pop(name))
        if self._left and all(stream.over for stream in self._left):
            self._forget()
        if not self._left:
            self._begin_waiting()

    def _forget(self) -> None:
        """Let go of streams that are over and of what only they needed."""
        self._left.clear()
        needed = {id(stream.recognizer) for stream in (*self._streams.values(), *self._waiting)}
        for key in self._batchers.keys() - needed:
            del self._batchers[key]

    def _begin_waiting(self) -> None:
        while self._waiting:
            stream = self._waiting.pop(0)
            self._streams[stream.name] = stream
            stream.start()

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


def _in_one_line(error: Exception) -> str:
    return str(error) if isinstance(error, WhoplaysError) else " ".join(repr(error).split())
