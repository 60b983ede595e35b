"""From streams to messages: whatever is ready is inferred, judged and published, in one thread."""

import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, Literal, NamedTuple

from whoplays.models.errors import WhoplaysError
from whoplays.models.signal import CHANNELS, WINDOW_SAMPLES
from whoplays.stream.pipeline.batches import Batch, Batcher, infer
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.stream import Stream
from whoplays.stream.pubsub.messages import Message
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.sources.registry import SourceSpec

WAKE_S: Final = 0.1


class StreamRequest(NamedTuple):
    """A stream to listen to."""

    opening: SourceSpec
    recognizer: Recognizer
    options: StreamOptions


class StreamUpdates(NamedTuple):
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
        self._wakeup: Final = threading.Event()
        self._streams: Final[dict[str, Stream]] = {}
        self._waiting: Final[list[Stream]] = []
        self._left: Final[list[Stream]] = []
        self._batchers: Final[dict[int, Batcher]] = {}
        self._updates: Final = deque[StreamUpdates]()
        self._stopped = False

    def add(self, opening: SourceSpec, recognizer: Recognizer, options: StreamOptions) -> None:
        """Listen to one more stream; from any thread."""
        self.change([StreamRequest(opening, recognizer, options)])

    def change(self, wanted: Sequence[StreamRequest], unwanted: Iterable[str] = ()) -> None:
        """Listen to some streams, and no longer to those of these names, or to those whose names are taken.

        Who is new begins when who leaves has said `end`, and so left its port or device. From any thread.
        """
        streams = [Stream(*each, self._wakeup) for each in wanted]
        self._updates.append(StreamUpdates(streams, {*unwanted, *(stream.name for stream in streams)}))
        self._wakeup.set()

    def stop(self) -> None:
        """Make `run` end soon: what was heard is judged, then each stream says `end`. From any thread or handler."""
        # A flag alone: the wakeup's lock may be held by the very code that a signal has interrupted.
        self._stopped = True

    def run(self) -> Generator[Message]:
        """Every message, as it is published. Closing the generator ends the streams as `stop` does, undrained.

        So does Ctrl-C, where it raises a KeyboardInterrupt.

        Raises:
            WhoplaysError: the model fails; every `end` message has said so already, as of anything else that is raised.
        """
        try:
            yield from self._step()
        except (GeneratorExit, KeyboardInterrupt):
            self._end_all("stopped", "")
            raise
        except Exception as error:
            yield from self._end_all("failed", _in_one_line(error))
            raise
        finally:
            self._leave_all()

    def check(self) -> None:
        """Raise what went wrong with the first stream that failed, after `run`."""
        for stream in (*self._left, *self._streams.values()):
            if stream.failure:
                raise stream.failure

    def _step(self) -> Iterator[Message]:
        while True:
            self._wakeup.clear()
            self._apply_updates()
            if self._stopped:
                self._stop_all()
            for stream in self._current():
                yield from self._emit(stream, stream.follow(self._dropped))
            idle = True
            for messages in self._infer():
                idle = False
                yield from messages
            if self._over:
                return
            if idle:
                self._wakeup.wait(WAKE_S)

    @property
    def _over(self) -> bool:
        return not self._current() and (self._stopped or not (self._waiting or self._updates))

    @property
    def _dropped(self) -> int:
        return self._publisher.dropped if self._publisher else 0

    def _current(self) -> list[Stream]:
        """Streams that have not said `end`, those that were removed first."""
        return [stream for stream in (*self._left, *self._streams.values()) if not stream.over]

    def _infer(self) -> Iterator[Iterator[Message]]:
        """Messages about a batch for each model that is ready for one."""
        ready = [stream for stream in self._current() if stream.session.windower.ready]
        for key, streams in groupby(sorted(ready, key=_model), key=_model):
            together = list(streams)
            recognizer = together[0].recognizer
            if key not in self._batchers:
                self._batchers[key] = Batcher(CHANNELS, WINDOW_SAMPLES, recognizer.warmed)
            batch = self._batchers[key].gather([stream.session for stream in together])
            yield self._judge(batch, recognizer, {id(stream.session): stream for stream in together})

    def _judge(self, batch: Batch, recognizer: Recognizer, streams: dict[int, Stream]) -> Iterator[Message]:
        for session, inferred in infer(batch, recognizer):
            yield from self._emit(streams[id(session)], session.judge.judge(inferred))
        for session, missed in batch.losses:
            yield from self._emit(streams[id(session)], [session.overload(missed)])

    def _emit(self, stream: Stream, messages: Iterable[Message]) -> Iterator[Message]:
        for message in messages:
            if self._publisher:
                self._publisher.send(message, wait=not stream.live)
            yield message

    def _end_all(self, reason: Literal["stopped", "failed"], detail: str) -> list[Message]:
        """The last messages of all, published before anyone who iterates can leave."""
        streams = self._current()
        return [m for s in streams for m in self._emit(s, s.end_messages(reason, self._dropped, detail))]

    def _apply_updates(self) -> None:
        while self._updates:
            added, removed = self._updates.popleft()
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
