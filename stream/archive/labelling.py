"""Labelling one recording, by the same windows, model and event detector as live."""

from collections.abc import Iterator
from typing import Final

import msgspec

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.api import open_engine
from whoplays.stream.archive.annotation import AnnotatedEvent, AnnotatedGap, Annotation
from whoplays.stream.audio.level import SILENCE_DBFS
from whoplays.stream.pipeline.options import Sensitivity
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import End, Event, Gap, Message, Window
from whoplays.stream.sources.registry import open_now


class AnnotationBuilder:
    """Makes an annotation of a stream's messages, in their order.

    Args:
        path: the recording.
        recognizer: what labels it.
        hop_s: from one window to the next.
    """

    def __init__(self, path: str, recognizer: Recognizer, hop_s: float) -> None:
        self._path: Final = path
        self._model: Final = f"{recognizer.card.name} {recognizer.card.version}"
        self._hop_s: Final = hop_s
        self._events: Final[dict[int, AnnotatedEvent]] = {}
        self._gaps: Final[list[AnnotatedGap]] = []
        self._end = 0

    def take(self, message: Message) -> None:
        """Take in the next message."""
        match message:
            case Window():
                self._end = max(self._end, message.end)
            case Event():
                self._take_event(message)
            case Gap():
                self._take_gap(AnnotatedGap(start_s=_s(message.start), end_s=_s(message.end), cause=message.cause))
            case End():
                self._end = max(self._end, message.final)

    def annotation(self, min_probability: float) -> Annotation:
        """What was heard; events that never came to that probability are left out."""
        events = [event for event in self._events.values() if event.probability >= min_probability]
        return Annotation(
            path=self._path,
            model=self._model,
            hop_s=self._hop_s,
            duration_s=_s(self._end),
            events=tuple(sorted(events, key=lambda event: (event.start_s, event.label))),
            gaps=tuple(self._gaps),
        )

    def _take_event(self, event: Event) -> None:
        begun = self._events.get(event.id)
        at_s = _s(event.at)
        self._events[event.id] = AnnotatedEvent(
            start_s=begun.start_s if begun else at_s,
            end_s=max(at_s, begun.start_s) if begun else at_s,
            label=event.label,
            probability=round(event.peak, 4),
        )

    def _take_gap(self, gap: AnnotatedGap) -> None:
        before = self._gaps[-1] if self._gaps else None
        if before and (before.end_s, before.cause) == (gap.start_s, gap.cause):
            self._gaps[-1] = msgspec.structs.replace(before, end_s=gap.end_s)
        else:
            self._gaps.append(gap)


def messages_of(path: str, recognizer: Recognizer, hop_s: float, sensitivity: Sensitivity) -> Iterator[Message]:
    """The messages about a recording, as `whoplays listen --speed max` has them.

    Raises:
        WhoplaysError: at once or after the last message: the recording is of no use, damaged, or shorter than it says.
    """
    engine = open_engine(
        open_now(path, "max"),
        stream="main",
        model=recognizer,
        hop_s=hop_s,
        silence_dbfs=SILENCE_DBFS,
        provider=None,
        sensitivity=sensitivity,
        frames=False,
        publisher=None,
    )
    yield from engine.run()
    engine.check()


def _s(samples: int) -> float:
    return round(samples / SAMPLE_RATE_HZ, 6)
