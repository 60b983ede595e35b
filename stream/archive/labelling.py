"""Labelling one recording, by the same windows, model and event detector as live."""

import gzip
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from whoplays.models.errors import SourceError, WhoplaysError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.api import open_engine
from whoplays.stream.archive.annotation import AnnotatedEvent, AnnotatedGap, Annotation
from whoplays.stream.archive.recordings import shown
from whoplays.stream.archive.remote import is_remote, local_copy, name_of
from whoplays.stream.archive.results import FileResult
from whoplays.stream.audio.level import SILENCE_DBFS
from whoplays.stream.pipeline.options import Sensitivity
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import End, Event, Gap, Message, Window, encode
from whoplays.stream.sources.base import SourceSpec
from whoplays.stream.sources.file import FileSource


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


def messages_of(
    path: Path, recognizer: Recognizer, hop_s: float, sensitivity: Sensitivity, place: str = ""
) -> Iterator[Message]:
    """The messages about a recording, as `whoplays listen --speed max` has them.

    Args:
        path: the file.
        recognizer: what labels it.
        hop_s: from one window to the next.
        sensitivity: how many errors are accepted.
        place: the address that the file is a copy of, if it is one.

    Raises:
        WhoplaysError: at once or after the last message: the recording is of no use, damaged, or shorter than it says.
    """
    source = FileSource(path, "max")
    if is_remote(place):
        source.name, source.uri = name_of(place), shown(place)
    engine = open_engine(
        SourceSpec.opened(source),
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


class WorkerOptions(NamedTuple):
    """How recordings are labelled."""

    model: str
    provider: str | None
    hop_s: float
    sensitivity: Sensitivity
    min_probability: float
    messages: bool
    """Whether the messages of the wire are wanted too."""


class Labelled(NamedTuple):
    """What came of a recording."""

    result: FileResult
    messages: bytes
    """Those of the wire, a line of JSON each, compressed by gzip; empty if they are not wanted."""


class Labeller:
    """Labels recordings, one after another, with a model that is loaded once.

    Args:
        options: how.

    Raises:
        WhoplaysError: the model or the provider is of no use.
    """

    def __init__(self, options: WorkerOptions) -> None:
        self._options: Final = options
        self._recognizer: Final = Recognizer.load(options.model, options.provider)

    def label(self, place: str) -> Labelled:
        """Label a recording; whatever is wrong with it is part of the result."""
        options, error, windows = self._options, "", 0
        builder = AnnotationBuilder(shown(place), self._recognizer, options.hop_s)
        lines = BytesIO()
        with gzip.GzipFile(fileobj=lines, mode="wb", compresslevel=1, mtime=0) as file:
            try:
                for message in self._messages(place):
                    builder.take(message)
                    windows += isinstance(message, Window)
                    if options.messages:
                        file.write(encode(message) + b"\n")
            except WhoplaysError as failure:
                error = str(failure)
            except Exception as failure:  # noqa: BLE001  whatever it is, it is one recording's
                error = f"failed unexpectedly: {' '.join(repr(failure).split())}"
        annotation = builder.annotation(options.min_probability) if windows else None
        result = FileResult(path=shown(place), annotation=annotation, error=error)
        return Labelled(result, lines.getvalue() if options.messages else b"")

    def _messages(self, place: str) -> Iterator[Message]:
        with local_copy(place) as path:
            try:
                yield from messages_of(path, self._recognizer, self._options.hop_s, self._options.sensitivity, place)
            except SourceError as error:
                # Of a copy it is told where it is from.
                told = str(error).replace(str(path), shown(place)) if is_remote(place) else str(error)
                raise SourceError(told) from error


def _s(samples: int) -> float:
    return round(samples / SAMPLE_RATE_HZ, 6)
