"""A session of the history as the messages that told of it, but for its windows."""

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.common.clock import GapCause
from whoplays.stream.common.paths import check_regular
from whoplays.stream.history.query import Query, Span, newest_session, rows
from whoplays.stream.history.schema import APPLICATION_ID
from whoplays.stream.pubsub.messages import (
    Counters,
    End,
    Event,
    Gap,
    Head,
    Message,
    ModelInfo,
    Playing,
    SourceInfo,
    Status,
)

SECOND_NS: Final = 1_000_000_000
_Tell = Callable[[int], Message]
_SQLITE: Final = b"SQLite format 3\0"


def is_history(path: Path) -> bool:
    """Whether a file is a database, such as that of `whoplays serve`; False if it cannot be read."""
    try:
        check_regular(path)
        with path.open("rb") as file:
            head = file.read(72)
    except (OSError, ValueError):
        return False
    return head.startswith(_SQLITE) and head[68:72] == APPLICATION_ID.to_bytes(4, "big")


def session_messages(path: Path, stream: str | None = None, session: str | None = None) -> Iterator[Message]:
    """What was published in a session: a status each second, events and gaps, in order.

    Args:
        path: the database.
        stream: whose session it is.
        session: which; the newest one unless given.

    Raises:
        DataError: there is no such session, or it cannot be read.
    """
    session = session or newest_session(path, stream)
    spans = [span for span in rows(path, Query(stream, session)) if span.start_sample is not None]
    if not spans:
        return
    first = spans[0]
    began_ns = first.order_ns - _ns(first.start_sample or 0)
    teller = _Teller(first.stream, session, began_ns, tuple(sorted({span.label for span in spans if span.label})))
    final = max(span.last_sample for span in spans)
    seconds = ((second * SAMPLE_RATE_HZ, 0, teller.status) for second in range(final // SAMPLE_RATE_HZ + 1))
    told = sorted(
        (point for number, span in enumerate(spans) for point in teller.points(number, span)), key=lambda each: each[:2]
    )
    for at, _, tell in heapq.merge(seconds, told, key=lambda each: each[:2]):
        yield tell(at)
    yield teller.end(final)


def _ns(samples: int) -> int:
    return samples * SECOND_NS // SAMPLE_RATE_HZ


class _Teller:
    """Makes the messages of a session, and knows who plays at each."""

    def __init__(self, stream: str, session: str, began_ns: int, labels: tuple[str, ...]) -> None:
        self._stream, self._session, self._began_ns, self._labels = stream, session, began_ns, labels
        self._playing: dict[str, Playing] = {}

    def points(self, number: int, span: Span) -> Iterator[tuple[int, int, _Tell]]:
        """At which samples something is told of a span, and what."""
        if span.label is None:
            yield span.last_sample, 1, lambda _: self._gap(span)
        else:
            yield span.start_sample or 0, 2, lambda at: self._event(number, span, at, starts=True)
            yield span.last_sample, 1, lambda at: self._event(number, span, at, starts=False)

    def status(self, at: int) -> Status:
        return Status(
            **self._head(at),
            source=SourceInfo(name="history", uri="history"),
            state="listening",
            sample_rate_hz=SAMPLE_RATE_HZ,
            window_samples=WINDOW_SAMPLES,
            hop_samples=WINDOW_SAMPLES,
            model=ModelInfo(name="history", version="", sha256=""),
            labels=self._labels,
            thresholds=tuple(0.5 for _ in self._labels),
            provider="history",
            counters=Counters(
                elapsed_samples=at,
                heard_samples=at,
                lost_samples=0,
                windows=0,
                gaps=0,
                dropped_windows=0,
                dropped_messages=0,
            ),
            lag_ns=0,
            last_seq={},
            playing=tuple(self._playing.values()),
        )

    def end(self, final: int) -> End:
        return End(**self._head(final), reason="finished", detail="", final=final)

    def _event(self, number: int, span: Span, at: int, *, starts: bool) -> Event:
        label, at_ns = span.label or "", self._began_ns + _ns(at)
        self._playing.pop(label, None)
        if starts:
            self._playing[label] = Playing(id=number, label=label, since=at, since_ns=at_ns)
        return Event(
            **self._head(at),
            id=number,
            label=label,
            phase="start" if starts else "end",
            at=at,
            at_ns=at_ns,
            peak=span.peak or 0.0,
        )

    def _gap(self, span: Span) -> Gap:
        cause = msgspec.convert(span.gap, GapCause)
        return Gap(**self._head(span.last_sample), start=span.start_sample or 0, end=span.last_sample, cause=cause)

    def _head(self, at: int) -> Head:
        return Head(stream=self._stream, session=self._session, seq=0, published_ns=self._began_ns + _ns(at))
