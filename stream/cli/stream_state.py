"""What is known of a stream from its messages so far: who plays, how surely, since when."""

from typing import Final

from whoplays.models.card import Hysteresis
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.pubsub.messages import End, Event, Gap, Message, Status, Window


class StreamState:
    """Follows one stream's messages; a late joiner's scene is complete within a second and a hop.

    Who plays is told by events. Windows tell it to who joined late, or lost some: whoever is as sure as events let one
    enter plays, since that window if nothing earlier is known, and whoever falls below what events let one play on at,
    does not. Between the two a late joiner cannot know: whoever wavers there is shown once sure.
    """

    def __init__(self) -> None:
        self.status: Status | None = None
        self.window: Window | None = None
        self.end: End | None = None
        self.since: Final[dict[str, int]] = {}
        """From when each one who plays has been heard, in samples, as far as is known."""
        self.gaps = 0

    def follow(self, message: Message) -> None:
        """Take in the next message; a new session begins a new scene."""
        if self.status and message.session != self.status.session:
            self._begin_again()
        match message:
            case Status():
                self.status = message
                self._look()
            case Window():
                self.window = message
                self._look()
            case Event(phase="start"):
                self.since[message.label] = message.at
            case Event():
                self.since.pop(message.label, None)
            case Gap():
                self.gaps += 1
            case End():
                self.end = message
                self.since.clear()

    def _look(self) -> None:
        status, window = self.status, self.window
        if status is None or window is None:
            return
        hysteresis = Hysteresis(entry=status.entry, release=status.release)
        for label, threshold in zip(status.labels, status.thresholds, strict=False):
            if hysteresis.plays(window.probabilities.get(label, 0.0), threshold, before=label in self.since):
                self.since.setdefault(label, window.start)
            else:
                self.since.pop(label, None)

    def _begin_again(self) -> None:
        self.status = self.window = self.end = None
        self.since.clear()
        self.gaps = 0


def moment(samples: int) -> str:
    """A sample index as minutes and seconds.

    >>> moment(44_100 * 63)
    '1:03.0'
    """
    minutes, tenths = divmod(samples * 10 // SAMPLE_RATE_HZ, 600)
    return f"{minutes}:{tenths // 10:02d}.{tenths % 10}"


def describe(status: Status) -> str:
    """What listens to what, in one line."""
    model = f"{status.model.name} {status.model.version}"
    return f"{status.stream}: {status.source.name}, heard by {model} on {status.provider}"


def describe_state(status: Status) -> str:
    """How the stream is, and what is wrong if anything is, in one line."""
    return f"{status.state}: {status.detail}" if status.detail else status.state


def describe_end(end: End) -> str:
    """How the stream ended, in one line."""
    return f"{end.stream}: {end.reason} after {moment(end.final)}" + (f": {end.detail}" if end.detail else "")
