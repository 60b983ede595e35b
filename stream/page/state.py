"""What the page shows: the state of each stream, and spans of time in which somebody played or nothing was heard."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, Literal

import msgspec

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.pubsub.messages import (
    STREAM_NAME,
    End,
    Event,
    FiringAlert,
    Gap,
    LevelInfo,
    Message,
    Notice,
    Status,
    Window,
)
from whoplays.stream.pubsub.players import Players

KEPT_NS: Final = 12 * 3600 * 1_000_000_000
"""How far back spans are kept."""
MOST_SPANS: Final = 20_000
MOST_STREAMS: Final = 1_000
"""Those of which nothing came for the longest are forgotten."""
JOINED_NS: Final = 100_000_000
"""Gaps, and silent windows, that are no further apart than this are one."""
NOT_RECEIVED: Final = "not received"
"""The cause of a gap in which no message came from the publisher."""
_SAMPLE_NS: Final = 1_000_000_000 / SAMPLE_RATE_HZ


_Key = tuple[str, str, str, int]
"""Stream, kind, name and beginning of a span."""


class NowPlaying(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument that plays now."""

    label: str
    since_ns: int
    """Unix time."""
    probability: float | None
    """In the newest window; null before there is one."""


class AlertView(msgspec.Struct, frozen=True, kw_only=True):
    """What a publisher's rule says is wrong now."""

    rule: str
    since_ns: int
    """Unix time."""
    acknowledged: bool
    """Whether somebody who looks at the page has taken note of it."""


class StreamView(msgspec.Struct, frozen=True, kw_only=True):
    """One stream as it is now."""

    stream: str
    state: str
    """As in `status`; `unknown` after nothing came from the publisher for a while."""
    detail: str
    source: str
    model: str
    labels: tuple[str, ...]
    level: LevelInfo | None
    lag_ns: int
    drift_ppm: float | None
    lost_samples: int
    playing: tuple[NowPlaying, ...] | None
    """Null while it is not known who plays."""
    alerts: tuple[AlertView, ...]
    updated_ns: int
    """Unix time of the newest message."""


class TimelineSpan(msgspec.Struct, frozen=True, kw_only=True):
    """From when to when something was so."""

    stream: str
    kind: Literal["label", "gap", "silence"]
    name: str
    """The label; the gap's cause, one of the protocol or `not received`; `silence`."""
    start_ns: int
    """Unix time."""
    end_ns: int | None
    """Unix time; null while it goes on."""
    peak: float | None = None
    """A label's highest probability."""


class PageState:
    """Follows all streams; `changes` says what is new since it was asked last."""

    def __init__(self) -> None:
        self._streams: Final[dict[str, _StreamState]] = {}
        self._spans: Final[dict[_Key, TimelineSpan]] = {}
        self._changed: Final[dict[_Key, TimelineSpan]] = {}
        self._dirty: Final[set[str]] = set()
        self._notices: Final = deque[Notice](maxlen=100)

    def update(self, item: Message | Notice) -> None:
        """Take in what a subscriber received; a stream with a name that none of ours can have is left out."""
        if isinstance(item, Notice):
            self._notices.append(item)
            names = list(self._streams) if item.what == "silent" and not item.stream else [item.stream]
            for name in names:
                if name in self._streams:
                    state = self._streams[name]
                    self._take(state.miss() if item.what == "silent" else state.forget())
                    self._dirty.add(name)
            return
        if not STREAM_NAME.fullmatch(item.stream):
            return
        # Moved behind the others: the first one is that of which nothing came for the longest.
        state = self._streams.pop(item.stream) if item.stream in self._streams else self._new_stream(item.stream)
        self._streams[item.stream] = state
        self._take(state.update(item))
        self._dirty.add(item.stream)

    def _new_stream(self, name: str) -> "_StreamState":
        while len(self._streams) >= MOST_STREAMS:
            oldest = next(iter(self._streams))
            del self._streams[oldest]
            self._dirty.discard(oldest)
        return _StreamState(name)

    def acknowledge(self, stream: str, rule: str) -> bool:
        """Note that somebody knows of an alert; False if there is no such alert now."""
        found = stream in self._streams and self._streams[stream].acknowledge(rule)
        if found:
            self._dirty.add(stream)
        return found

    def streams(self) -> list[StreamView]:
        """All streams as they are now, of which a status has come."""
        return [view for name in sorted(self._streams) if (view := self._streams[name].view())]

    def spans(self, since_ns: int, until_ns: int, stream: str | None = None) -> Iterator[TimelineSpan]:
        """The spans of a stretch of time, in the order in which they became known."""
        for span in self._spans.values():
            lasts = span.end_ns is None or span.end_ns >= since_ns
            if lasts and span.start_ns <= until_ns and stream in {None, span.stream}:
                yield span

    def changes(self) -> tuple[list[StreamView], list[TimelineSpan], list[Notice]]:
        """What has changed since the last call."""
        views = [view for name in sorted(self._dirty) if (view := self._streams[name].view())]
        found = views, list(self._changed.values()), list(self._notices)
        self._dirty.clear()
        self._changed.clear()
        self._notices.clear()
        return found

    def _take(self, spans: Iterable[TimelineSpan]) -> None:
        for span in spans:
            key = span.stream, span.kind, span.name, span.start_ns
            self._spans[key] = self._changed[key] = span
        if len(self._spans) > MOST_SPANS:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        """Those of which a tenth is over the longest, or that are too old."""
        oldest_ns = time.time_ns() - KEPT_NS
        over = [key for key, span in self._spans.items() if span.end_ns is not None]
        for place, key in enumerate(over):
            if place < MOST_SPANS // 10 or (self._spans[key].end_ns or 0) < oldest_ns:
                del self._spans[key]


class _StreamState:
    """Follows one stream."""

    def __init__(self, stream: str) -> None:
        self._open: Final[dict[str, TimelineSpan]] = {}
        """By label, the spans that go on."""
        self._stretches: Final[dict[str, TimelineSpan]] = {}
        """The newest gap and the newest silence."""
        self._stream: Final = stream
        self._players: Final = Players()
        self._status: Status | None = None
        self._window: Window | None = None
        self._missing: TimelineSpan | None = None
        """The gap while nothing comes from the publisher."""
        self._ended = False
        self._updated_ns = 0
        self._acknowledged: set[FiringAlert] = set()
        self._anchor = (0, 0)
        """A sample index, and the Unix time in ns at which it was captured."""

    def update(self, message: Message) -> Iterator[TimelineSpan]:
        """Take in the next message; what spans it begins, changes or ends."""
        yield from self._found(message.published_ns)
        if self._status and message.session != self._status.session:
            self._window, self._anchor = None, (0, 0)
        self._players.update(message)
        self._ended = isinstance(message, End)
        match message:
            case Status():
                self._status = message
                self._acknowledged &= set(message.alerts)
                yield from self._synchronise(message.published_ns)
            case End():
                yield from self._synchronise(message.published_ns)
            case Window():
                self._window, self._anchor = message, (message.end, message.closed_ns)
                if message.quality.silent:
                    yield self._stretch("silence", "silence", self._at_ns(message.start), message.closed_ns)
            case Event():
                yield from self._change(message)
            case Gap():
                end_ns = self._at_ns(message.end) if self._anchor[1] else message.published_ns
                start_ns = end_ns - round((message.end - message.start) * _SAMPLE_NS)
                yield self._stretch("gap", message.cause, start_ns, end_ns)

    def _found(self, now_ns: int) -> Iterator[TimelineSpan]:
        """Something came from the publisher."""
        if self._missing:
            yield msgspec.structs.replace(self._missing, end_ns=now_ns)
        self._missing, self._updated_ns = None, now_ns

    def forget(self) -> Iterator[TimelineSpan]:
        """It is not known any more who plays: messages were lost."""
        self._players.forget()
        return self._synchronise(self._updated_ns)

    def miss(self) -> Iterator[TimelineSpan]:
        """Nothing comes from the publisher any more: from here on there is a gap, unless the stream has ended."""
        yield from self.forget()
        if not self._ended and self._missing is None:
            self._missing = TimelineSpan(
                stream=self._stream, kind="gap", name=NOT_RECEIVED, start_ns=self._updated_ns, end_ns=None
            )
            yield self._missing

    def view(self) -> StreamView | None:
        """As it is now; None before its first status."""
        status, probabilities = self._status, self._window.probabilities if self._window else {}
        if status is None:
            return None
        playing = self._players.playing
        return StreamView(
            stream=self._stream,
            state="unknown" if self._missing else status.state,
            detail=status.detail,
            source=status.source.name,
            model=f"{status.model.name} {status.model.version} on {status.provider}",
            labels=status.labels,
            level=None if self._missing else status.level,
            lag_ns=status.lag_ns,
            drift_ppm=status.drift_ppm,
            lost_samples=status.counters.lost_samples,
            playing=None
            if playing is None
            else tuple(
                NowPlaying(label=each.label, since_ns=each.since_ns, probability=probabilities.get(each.label))
                for each in playing
            ),
            alerts=tuple(
                AlertView(rule=each.rule, since_ns=each.since_ns, acknowledged=each in self._acknowledged)
                for each in self._alerts
            ),
            updated_ns=self._updated_ns,
        )

    def acknowledge(self, rule: str) -> bool:
        """Note that somebody knows of an alert; False if there is none of that rule."""
        found = {each for each in self._alerts if each.rule == rule}
        self._acknowledged |= found
        return bool(found)

    @property
    def _alerts(self) -> tuple[FiringAlert, ...]:
        return self._status.alerts if self._status and not self._ended else ()

    def _at_ns(self, sample: int) -> int:
        return self._anchor[1] + round((sample - self._anchor[0]) * _SAMPLE_NS)

    def _synchronise(self, now_ns: int) -> Iterator[TimelineSpan]:
        """Let spans of labels go on that play, and no others; who joins late is told of them by a status."""
        playing = {each.label: each for each in self._players.playing or ()}
        for label in [label for label in self._open if label not in playing]:
            yield from self._finish(label, now_ns, None)
        for label, each in playing.items():
            if label not in self._open:
                yield self._begin(label, each.since_ns or now_ns, None)

    def _change(self, event: Event) -> Iterator[TimelineSpan]:
        at_ns = event.at_ns or event.published_ns
        if event.phase == "start":
            yield self._begin(event.label, at_ns, event.peak)
        else:
            yield from self._finish(event.label, at_ns, event.peak)

    def _begin(self, label: str, start_ns: int, peak: float | None) -> TimelineSpan:
        span = TimelineSpan(stream=self._stream, kind="label", name=label, start_ns=start_ns, end_ns=None, peak=peak)
        self._open[label] = span
        return span

    def _finish(self, label: str, end_ns: int, peak: float | None) -> Iterator[TimelineSpan]:
        if span := self._open.pop(label, None):
            end_ns = max(end_ns, span.start_ns)
            yield msgspec.structs.replace(span, end_ns=end_ns, peak=span.peak if peak is None else peak)

    def _stretch(self, kind: Literal["gap", "silence"], name: str, start_ns: int, end_ns: int) -> TimelineSpan:
        """A gap or silence; one that continues the one before lengthens it."""
        before = self._stretches.get(kind)
        if before and before.name == name and start_ns <= (before.end_ns or 0) + JOINED_NS:
            start_ns, end_ns = before.start_ns, max(end_ns, before.end_ns or 0)
        span = TimelineSpan(stream=self._stream, kind=kind, name=name, start_ns=start_ns, end_ns=end_ns)
        self._stretches[kind] = span
        return span
