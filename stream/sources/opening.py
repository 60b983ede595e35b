"""How a source is opened: once, or again whenever it is lost."""

from collections.abc import Callable
from typing import NamedTuple

from whoplays.stream.audio.intake import Intake
from whoplays.stream.audio.pcm import PcmFormat
from whoplays.stream.audio.resample import WHOLE
from whoplays.stream.common.uri import without_secrets
from whoplays.stream.sources.base import Source
from whoplays.stream.sources.file import Speed
from whoplays.stream.sources.registry import from_uri, is_lasting


class Opening(NamedTuple):
    """A source that can be opened."""

    name: str
    """What people call it before it is open."""
    uri: str
    """Where it is, without any secret."""
    open: Callable[[], Source]
    """Opens it; raises a SourceError if it cannot be listened to."""
    live: bool
    """Whether it goes on without us."""
    lasting: bool
    """Whether it is opened again when it is lost."""


def once(source: Source) -> Opening:
    """A source that is open already, and over when it ends or fails."""
    return Opening(source.name, source.uri, lambda: source, source.live, lasting=False)


def again(source: Source, uri: str, intake: Intake) -> Opening:
    """A live source that is open already, and opened again by its address whenever it is lost."""
    first = [source]
    return Opening(source.name, source.uri, lambda: first.pop() if first else from_uri(uri, intake=intake), True, True)


def open_source(uri: str, speed: Speed = "realtime", pcm: PcmFormat | None = None, intake: Intake = WHOLE) -> Opening:
    """A source by its address, opened at once, so that what is wrong with it is known at once.

    Raises:
        SourceError: it cannot be listened to.
    """
    source = from_uri(uri, speed=speed, pcm=pcm, intake=intake)
    return again(source, uri, intake) if is_lasting(uri) else once(source)


def later(uri: str, intake: Intake) -> Opening:
    """A source by its address, opened when it is listened to; a live one again whenever it is lost."""
    shown = without_secrets(uri)
    return Opening(shown, shown, lambda: from_uri(uri, intake=intake), True, is_lasting(uri))
