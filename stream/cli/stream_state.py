"""The state of a stream by its messages so far: which labels play, how probably, since when."""

from typing import Final

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.pubsub.messages import End, Event, Gap, Message, Status, Window


class StreamState:
    """Follows one stream's messages; after a late join it is complete within a second and a hop.

    Events say at once which labels play; after a late join or a loss, the next status does.
    """

    def __init__(self) -> None:
        self.status: Status | None = None
        self.window: Window | None = None
        self.end: End | None = None
        self.since: Final[dict[str, int]] = {}
        """From which sample on each label plays that does, as far as is known."""
        self.gaps = 0

    def update(self, message: Message) -> None:
        """Take in the next message; a new session begins a new state."""
        if self.status and message.session != self.status.session:
            self._reset()
        match message:
            case Status():
                self._update_status(message)
            case Window():
                self.window = message
            case Event(phase="start"):
                self.since[message.label] = message.at
            case Event():
                self.since.pop(message.label, None)
            case Gap():
                self.gaps += 1
            case End():
                self.end = message
                self.since.clear()

    def _update_status(self, status: Status) -> None:
        self.status = status
        if status.playing is not None:
            self.since.clear()
            self.since.update((each.label, each.since) for each in status.playing)

    def _reset(self) -> None:
        self.status = self.window = self.end = None
        self.since.clear()
        self.gaps = 0


def timecode(samples: int) -> str:
    """A sample index as minutes and seconds.

    >>> timecode(44_100 * 63)
    '1:03.0'
    """
    minutes, tenths = divmod(samples * 10 // SAMPLE_RATE_HZ, 600)
    return f"{minutes}:{tenths // 10:02d}.{tenths % 10}"


def describe(status: Status) -> str:
    """Stream, source and model in one line."""
    model = f"{status.model.name} {status.model.version}"
    return f"{status.stream}: {status.source.name}, recognised by {model} on {status.provider}"


def describe_state(status: Status) -> str:
    """The stream's state, and what is wrong if anything is, in one line."""
    return f"{status.state}: {status.detail}" if status.detail else status.state


def describe_end(end: End) -> str:
    """How the stream ended, in one line."""
    return f"{end.stream}: {end.reason} after {timecode(end.final)}" + (f": {end.detail}" if end.detail else "")
