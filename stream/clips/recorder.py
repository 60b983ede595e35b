"""The thread that writes clips, so that a slow or full disk delays nothing else."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

import numpy as np
import soundfile

from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ
from whoplays.stream.clips.folder import ClipFile, ClipFolder, ClipLabel
from whoplays.stream.common.thread_watch import ThreadWatch
from whoplays.stream.common.worker_thread import WorkerThread
from whoplays.stream.pipeline.ring import RingBuffer
from whoplays.stream.pubsub.messages import End, Event, Message, Status, Window

QUEUE_MESSAGES: Final = 10_000
STEP_S: Final = 0.5
PRUNE_S: Final = 60.0
HOLD_SAMPLES: Final = 7 * SAMPLE_RATE_HZ
"""What is younger is not written yet: the message that an instrument has left tells of a time before it. The ring holds
twelve seconds."""
MOST_OPEN: Final = 200
UNSURE: Final = 0.1
"""A window is unsure if a probability is no further from its threshold."""
UNSURE_S: Final = 30.0
"""Of one stream no more often than this."""


class Received(NamedTuple):
    """A message, and the audio that its stream holds now."""

    message: Message
    ring: RingBuffer


@dataclass(slots=True)
class _Clip:
    """A clip that is being written."""

    file: ClipFile
    ring: RingBuffer
    session: str
    first: int
    last: int | None
    """Where it ends; None while that is not known."""
    labels: str = ""
    """What a clip of one window holds; of others the events say it."""
    written: int = 0


@dataclass(slots=True)
class _Span:
    label: str
    start: int
    end: int | None = None


@dataclass(slots=True)
class _Stream:
    """What is known of one stream's session."""

    session: str
    ring: RingBuffer
    thresholds: dict[str, float] = field(default_factory=dict)
    spans: dict[int, _Span] = field(default_factory=dict)
    clips: dict[int, _Clip] = field(default_factory=dict)
    """By the id of the event that began it; of a window, by -1 - its number."""
    unsure_from_s: float = 0.0


class ClipRecorder(WorkerThread[Received]):
    """Writes a clip of each entrance, from before it to the end, and of windows that the model is unsure of.

    Args:
        folder: where they go.
        entrances: whether entrances are recorded.
        unsure: whether unsure windows are.
        before_s: how much of what was before an entrance.
        max_length_s: longer clips end there.
        on_problem: is called with a line when writing begins to fail, and when it works again.
        watch: starts the thread again, if need be.
    """

    def __init__(
        self,
        folder: ClipFolder,
        *,
        entrances: bool,
        unsure: bool,
        before_s: float,
        max_length_s: float,
        on_problem: Callable[[str], None],
        watch: ThreadWatch,
    ) -> None:
        super().__init__("whoplays-clips", QUEUE_MESSAGES)
        self.lost = 0
        """Clips that could not be written, or not whole."""
        self._folder: Final = folder
        self._entrances: Final = entrances
        self._unsure: Final = unsure
        self._before: Final = round(before_s * SAMPLE_RATE_HZ)
        self._longest: Final = round(max_length_s * SAMPLE_RATE_HZ)
        self._on_problem: Final = on_problem
        self._watch: Final = watch
        self._failing = False
        self._streams: Final[dict[str, _Stream]] = {}

    def __enter__(self) -> Self:
        self._start(self._watch.run, "clips", self._record, self._leaving)
        return self

    def handle(self, message: Message, ring: RingBuffer) -> None:
        """Take note of a message; never waits."""
        if isinstance(message, Event | Status | Window | End) and not self._put(Received(message, ring)):
            self.lost += isinstance(message, Event)

    def _record(self) -> None:
        prune_at_s = 0.0
        while not self._finished:
            due_s = time.monotonic() + STEP_S
            while heard := self._take(max(0.0, due_s - time.monotonic())):
                self._note(heard)
            for name, stream in tuple(self._streams.items()):
                self._advance(name, stream)
            if time.monotonic() >= prune_at_s:
                prune_at_s = time.monotonic() + PRUNE_S
                self._attempt(self._folder.prune)
        for name, stream in tuple(self._streams.items()):
            self._close(name, stream)

    def _note(self, heard: Received) -> None:
        message, name = heard.message, heard.message.stream
        stream = self._streams.get(name)
        if stream and stream.session != message.session:
            self._close(name, stream)
            stream = None
        if stream is None:
            stream = self._streams[name] = _Stream(message.session, heard.ring)
        match message:
            case Event():
                self._event(message, stream)
            case Status():
                stream.thresholds = dict(zip(message.labels, message.thresholds, strict=True))
            case Window() if self._unsure:
                self._window(message, stream)
            case End():
                self._close(name, stream)
                del self._streams[name]

    def _event(self, event: Event, stream: _Stream) -> None:
        if event.phase == "end":
            if event.id in stream.spans:
                stream.spans[event.id].end = event.at
            if event.id in stream.clips:
                stream.clips[event.id].last = event.at
            return
        stream.spans[event.id] = _Span(event.label, event.at)
        if self._entrances:
            first = max(0, event.at - self._before, stream.ring.oldest)
            self._begin(stream, event.id, event, event.label, first)

    def _window(self, window: Window, stream: _Stream) -> None:
        near = any(
            abs(probability - stream.thresholds.get(label, -1.0)) <= UNSURE
            for label, probability in window.probabilities.items()
        )
        if near and not window.quality.silent and time.monotonic() >= stream.unsure_from_s:
            stream.unsure_from_s = time.monotonic() + UNSURE_S
            key = -1 - window.seq
            self._begin(stream, key, window, "unsure", window.start)
            if key in stream.clips:
                stream.clips[key].last = window.end
                stream.clips[key].labels = ";".join(label for label, on in window.active.items() if on)

    def _begin(self, stream: _Stream, key: int, message: Event | Window, label: str, first: int) -> None:
        if sum(len(each.clips) for each in self._streams.values()) >= MOST_OPEN:
            self.lost += 1
            return
        at_ns = message.closed_ns if isinstance(message, Window) else message.at_ns or message.published_ns

        def create() -> None:
            file = self._folder.create(message.stream, at_ns, label)
            stream.clips[key] = _Clip(file, stream.ring, message.session, first, None, written=first)

        if not self._attempt(create):
            self.lost += 1

    def _advance(self, name: str, stream: _Stream) -> None:
        for key, clip in tuple(stream.clips.items()):
            known = clip.ring.written if clip.ring.closed else clip.ring.written - HOLD_SAMPLES
            to = min(known if clip.last is None else clip.last, clip.first + self._longest)
            whole = self._attempt(lambda clip=clip, to=to: self._write(clip, to))  # type: ignore[misc]
            ended = clip.last is not None or to == clip.first + self._longest
            if not whole or (ended and clip.written >= to):
                del stream.clips[key]
                self._finish(name, stream, clip, whole=whole)
        # What ended long before any clip that is still written is in none of them.
        oldest = min((clip.first for clip in stream.clips.values()), default=stream.ring.written - HOLD_SAMPLES)
        for key, span in tuple(stream.spans.items()):
            if span.end is not None and span.end < oldest:
                del stream.spans[key]

    def _write(self, clip: _Clip, to: int) -> None:
        while clip.written < min(to, clip.ring.written):
            audio = np.empty((CHANNELS, min(SAMPLE_RATE_HZ, min(to, clip.ring.written) - clip.written)), np.float32)
            if not clip.ring.read(clip.written, audio):
                raise OSError(None, "the disk was too slow")
            clip.file.write(audio)
            clip.written += audio.shape[1]

    def _close(self, name: str, stream: _Stream) -> None:
        """The session is over: whatever is open ends with it."""
        for clip in stream.clips.values():
            clip.last = min(clip.ring.written, clip.last or clip.ring.written)
        self._advance(name, stream)

    def _finish(self, name: str, stream: _Stream, clip: _Clip, *, whole: bool) -> None:
        if not whole or clip.written <= clip.first:
            self.lost += not whole
            self._attempt(clip.file.discard)
            return
        labels = list(self._labels(stream, clip)) or [ClipLabel("", 0.0, (clip.written - clip.first) / SAMPLE_RATE_HZ)]
        if not self._attempt(lambda: self._folder.add(clip.file, labels, name, clip.session, clip.first)):
            self.lost += 1

    def _labels(self, stream: _Stream, clip: _Clip) -> Iterator[ClipLabel]:
        """What plays in a clip and when, in seconds from its beginning."""
        length_s = (clip.written - clip.first) / SAMPLE_RATE_HZ
        if clip.last is not None and clip.labels:
            yield ClipLabel(clip.labels, 0.0, length_s)
            return
        for span in stream.spans.values():
            start_s = max(0.0, (span.start - clip.first) / SAMPLE_RATE_HZ)
            end_s = length_s if span.end is None else min(length_s, (span.end - clip.first) / SAMPLE_RATE_HZ)
            if start_s < end_s:
                yield ClipLabel(span.label, round(start_s, 3), round(end_s, 3))

    def _attempt(self, action: Callable[[], None]) -> bool:
        """Whether it succeeded; the first failure in a row is told, and so is the success after it."""
        try:
            action()
        except (OSError, soundfile.LibsndfileError) as error:
            if not self._failing:
                self._on_problem(f"cannot write to {self._folder.path}: {getattr(error, 'strerror', None) or error}")
            self._failing = True
            return False
        if self._failing:
            self._failing = False
            self._on_problem(f"could write to {self._folder.path} again; {self.lost} clips were lost")
        return True
