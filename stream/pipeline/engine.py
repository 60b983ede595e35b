"""From streams to messages: whatever is ready is inferred and published, in one thread."""

import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import partial
from typing import Final, Literal, NamedTuple

from whoplays.models.errors import ModelError, WhoplaysError
from whoplays.models.signal import CHANNELS
from whoplays.stream.pipeline.alerts import AlertMonitor
from whoplays.stream.pipeline.batches import Batcher
from whoplays.stream.pipeline.faults import FaultHandler, print_fault
from whoplays.stream.pipeline.ingest import Ingest, Tap
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.ring import RingBuffer
from whoplays.stream.pipeline.session import RING_SAMPLES
from whoplays.stream.pipeline.stream import DRAIN_NS, Stream
from whoplays.stream.pubsub.messages import End, Message
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.sources.base import SourceSpec

WAKE_S: Final = 0.1
ABORT_S: Final = DRAIN_NS / 1e9
JOIN_S: Final = 1.0
"""How long all sources together may take to close."""


class StreamRequest(NamedTuple):
    """A stream to add."""

    spec: SourceSpec | Tap
    recognizer: Recognizer
    options: StreamOptions


class StreamUpdates(NamedTuple):
    """Streams to add, and names of those to remove."""

    added: list[Stream]
    removed: set[str]
    shared: tuple[Ingest, ...]
    """Sources that go on, whether streams take from them or not."""


class Engine:
    """Recognises instruments in streams: source threads -> rings -> windows -> inference -> messages.

    The engine runs in the thread that iterates over `run`. A live source does not wait for it: when inference cannot
    keep up, the oldest windows are skipped and a `gap` says so. Any other source waits.

    Args:
        publisher: where the messages go as well; whoever made it enters and leaves it.
        on_fault: called once with each exception of a stream that nobody has foreseen; the stream goes on.
    """

    def __init__(self, publisher: Publisher | None = None, on_fault: FaultHandler = print_fault) -> None:
        self._publisher: Final = publisher
        self.on_fault: Final = on_fault
        self._wakeup: Final = threading.Event()
        self._streams: Final[dict[str, Stream]] = {}
        self._waiting: Final[list[Stream]] = []
        self._ending: Final[list[Stream]] = []
        self._batchers: Final[list[Batcher]] = []
        self.alerts: Final = AlertMonitor()
        """Its rules may be replaced at any time."""
        self._updates: Final = deque[StreamUpdates]()
        self._shared: tuple[Ingest, ...] = ()
        self._stopped = False
        self._aborted = False
        self._ended: Final = threading.Event()
        self._stop_by_ns: int | None = None

    def add(self, spec: SourceSpec, recognizer: Recognizer, options: StreamOptions) -> None:
        """Add a stream; from any thread."""
        self.change([StreamRequest(spec, recognizer, options)])

    def change(
        self, requests: Sequence[StreamRequest], removed: Iterable[str] = (), shared: Iterable[Ingest] = ()
    ) -> None:
        """Add streams, and remove those of these names and those whose names are taken; from any thread.

        New streams begin when the removed ones have published `end`, and so left their ports and devices. Of the
        sources that streams share all go on that are `shared`; the others end.
        """
        new_ring = partial(RingBuffer, CHANNELS, RING_SAMPLES, self._wakeup)
        streams = [Stream(*request, new_ring, self.on_fault) for request in requests]
        names = {stream.name for stream in streams}
        self._updates.append(StreamUpdates(streams, {*removed, *names}, tuple(shared)))
        self._wakeup.set()

    def ring(self, stream: str) -> RingBuffer | None:
        """The audio that a stream holds, whose message was the newest; for whoever iterates over `run`."""
        known = (*self._ending, *self._streams.values())
        return next((each.session.ring for each in known if each.name == stream), None)

    def stop(self) -> None:
        """Make `run` end soon: audio that has come is processed, for a second at most; each stream publishes `end`.

        From any thread or signal handler.
        """
        # A flag alone: the event's lock may be held by the very code that a signal has interrupted.
        self._stopped = True

    def stop_in_time(self) -> None:
        """As `stop`, and end an inference that is still under way a second later.

        Waits for that, or until `run` has ended; from any thread but that of `run`.
        """
        self.stop()
        if not self._ended.wait(ABORT_S):
            self._aborted = True
            self._abort_inference(aborted=not self._ended.is_set())

    def run(self) -> Generator[Message]:
        """Every message, as it is published. Closing the generator ends the streams as `stop` does, undrained.

        So does Ctrl-C, where it raises a KeyboardInterrupt.

        Raises:
            WhoplaysError: the model fails; every `end` message tells so first, as of anything else that is raised.
        """
        try:
            yield from self._step()
            while not self._over:
                yield from self._step()
        except (GeneratorExit, KeyboardInterrupt):
            self._end_all("stopped", "")
            raise
        except Exception as error:
            yield from self._end_all("failed", _in_one_line(error))
            raise
        finally:
            self._ended.set()
            self._abort_inference(aborted=False)
            self._join_all()

    def check(self) -> None:
        """Raise what went wrong with the first stream that failed, after `run`."""
        for stream in (*self._ending, *self._streams.values()):
            if stream.failure:
                raise stream.failure

    def _step(self) -> Iterator[Message]:
        """Everything that is ready now; waits for more if nothing is."""
        self._wakeup.clear()
        self._apply_updates()
        if self._stopped:
            self._share(())
            for stream in self._running():
                stream.stop()
            yield from self._end_in_time()
        for stream in self._running():
            yield from self._emit(stream, stream.poll(self._dropped))
        idle = True
        for batcher in self._batchers:
            ready = [each for each in self._running() if each.recognizer is batcher.recognizer and each.session.ready]
            idle = idle and not ready
            yield from self._infer(batcher, ready)
        if idle and not self._over:
            self._wakeup.wait(WAKE_S)

    def _infer(self, batcher: Batcher, ready: Sequence[Stream]) -> Iterator[Message]:
        try:
            for stream, result in batcher.run(ready):
                yield from self._emit(stream, stream.session.messages(result))
        except ModelError:
            if not self._aborted:
                raise
            yield from self._end_all("stopped", "")

    def _abort_inference(self, *, aborted: bool) -> None:
        for batcher in tuple(self._batchers):
            batcher.recognizer.abort(aborted=aborted)

    def _end_in_time(self) -> list[Message]:
        """The last messages of all, once another inference might end too late."""
        now_ns = time.monotonic_ns()
        self._stop_by_ns = self._stop_by_ns or now_ns + DRAIN_NS
        longest_ns = max((batcher.took_ns for batcher in self._batchers), default=0)
        return self._end_all("stopped", "") if now_ns + longest_ns > self._stop_by_ns else []

    @property
    def _over(self) -> bool:
        return not self._running() and (self._stopped or not (self._waiting or self._updates))

    @property
    def _dropped(self) -> int:
        return self._publisher.dropped if self._publisher else 0

    def _running(self) -> list[Stream]:
        """Streams that have not published `end`, those that were removed first."""
        return [stream for stream in (*self._ending, *self._streams.values()) if not stream.over]

    def _emit(self, stream: Stream, messages: Iterable[Message]) -> Iterator[Message]:
        for message in _recovering(stream, messages):
            alerts = list(self.alerts.update(message, stream.session.sequencer))
            if alerts:
                stream.alerts = self.alerts.firing(stream.name)
            # The end is the last message of all.
            news: tuple[Message, ...] = (*alerts, message) if isinstance(message, End) else (message, *alerts)
            for each in news:
                if self._publisher:
                    self._publisher.send(each, wait=not stream.session.live)
                yield each

    def _end_all(self, reason: Literal["stopped", "failed"], detail: str) -> list[Message]:
        """The last messages of all, published before anyone who iterates can leave."""
        streams = self._running()
        return [m for s in streams for m in self._emit(s, s.end_messages(reason, self._dropped, detail))]

    def _apply_updates(self) -> None:
        while self._updates:
            added, removed, shared = self._updates.popleft()
            self._share(shared)
            self._waiting[:] = [*(stream for stream in self._waiting if stream.name not in removed), *added]
            for name in removed & self._streams.keys():
                self._streams[name].stop()
                self._ending.append(self._streams.pop(name))
        if (self._ending or self._waiting) and all(stream.over for stream in self._ending):
            self._replace_ended()

    def _share(self, shared: tuple[Ingest, ...]) -> None:
        """End the sources that are shared no more."""
        for ingest in self._shared:
            if ingest not in shared:
                ingest.retire()
        self._shared = shared

    def _replace_ended(self) -> None:
        """Let go of the streams that have ended and of what only they needed; start those that wait."""
        self._ending.clear()
        for stream in self._waiting:
            self._streams[stream.name] = stream
            stream.start()
        self._waiting.clear()
        used = {id(stream.recognizer): stream.recognizer for stream in self._streams.values()}
        kept = [batcher for batcher in self._batchers if id(batcher.recognizer) in used]
        known = {id(batcher.recognizer) for batcher in kept}
        self._batchers[:] = [*kept, *(Batcher(used[key]) for key in used.keys() - known)]

    def _join_all(self) -> None:
        streams = (*self._ending, *self._streams.values())
        self._share(())
        for stream in streams:
            stream.stop()
        deadline_s = time.monotonic() + JOIN_S
        for stream in streams:
            stream.join(max(0.0, deadline_s - time.monotonic()))


def _recovering(stream: Stream, messages: Iterable[Message]) -> Iterator[Message]:
    """Messages as they are made; what goes wrong in making them is the stream's own trouble."""
    try:
        yield from messages
    except Exception as error:  # noqa: BLE001  other streams go on, whatever it is
        yield from stream.recover(error)


def _in_one_line(error: Exception) -> str:
    return str(error) if isinstance(error, WhoplaysError) else " ".join(repr(error).split())
