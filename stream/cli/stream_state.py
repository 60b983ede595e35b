"""The state of a stream by its messages so far: which labels play, how probably, since when."""

from typing import Final

from whoplays.models.card import Hysteresis
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.pubsub.messages import End, Event, Gap, Message, Status, Window


class StreamState:
    """Follows one stream's messages; after a late join it is complete within a second and a hop.

    Events say which labels play. Windows say it after a late join or a loss, by the same hysteresis: a label whose
    probability is high enough to enter plays, since that window if nothing earlier is known, and one whose probability
    is low enough to leave does not. Between the two, what came before the late join decides, which is not known.
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
                self.status = message
                self._apply_window()
            case Window():
                self.window = message
                self._apply_window()
            case Event(phase="start"):
                self.since[message.label] = message.at
            case Event():
                self.since.pop(message.label, None)
            case Gap():
                self.gaps += 1
            case End():
                self.end = message
                self.since.clear()

    def _apply_window(self) -> None:
        status, window = self.status, self.window
        if status is None or window is None:
            return
        hysteresis = Hysteresis(entry=status.entry, release=status.release)
        for label, threshold in zip(status.labels, status.thresholds, strict=False):
            if hysteresis.plays(window.probabilities.get(label, 0.0), threshold, before=label in self.since):
                self.since.setdefault(label, window.start)
            else:
                self.since.pop(label, None)

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
