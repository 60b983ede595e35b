"""Whether results flow: where audio comes in, windows must come out."""

from collections.abc import Container
from typing import Final

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.pubsub.messages import End, Message, Status, Window

_HAS_AUDIO: Final = frozenset({"listening", "silent"})
SPARE_S: Final = 15.0


class HealthMonitor:
    """Follows the messages of all streams; may be asked from any thread."""

    def __init__(self) -> None:
        self._recognized: Final[dict[str, int]] = {}
        """By stream, the end of its newest window."""
        self._statuses: Final[dict[str, Status]] = {}
        self._failed: Final[dict[str, str]] = {}

    def handle(self, message: Message) -> None:
        """Take in the next message."""
        match message:
            case Status(stream=stream, session=session):
                known = self._statuses.get(stream)
                if known is None or known.session != session:
                    self._recognized[stream] = 0
                self._statuses[stream] = message
                self._failed.pop(stream, None)
            case Window(stream=stream):
                self._recognized[stream] = message.end
            case End(stream=stream):
                self._statuses.pop(stream, None)
                self._recognized.pop(stream, None)
                if message.reason == "failed":
                    self._failed[stream] = message.detail

    def expect(self, streams: Container[str]) -> None:
        """Forget failures of streams that are not among these."""
        for stream in tuple(self._failed):
            if stream not in streams:
                self._failed.pop(stream, None)

    def stuck(self) -> str | None:
        """Which stream gets audio, but no results, in one line; None if there is none."""
        for stream, status in tuple(self._statuses.items()):
            behind = status.counters.elapsed_samples - self._recognized.get(stream, 0)
            allowed = status.window_samples + status.hop_samples + round(SPARE_S * SAMPLE_RATE_HZ)
            if status.state in _HAS_AUDIO and behind > allowed:
                return f"{stream}: no window for {behind / SAMPLE_RATE_HZ:.0f} s of audio"
        return None

    def unready(self) -> str | None:
        """Which stream gets no audio, in one line; None if all do."""
        for stream, detail in tuple(self._failed.items()):
            return f"{stream}: failed: {detail}"
        if not self._statuses:
            return "no stream has begun yet"
        for stream, status in tuple(self._statuses.items()):
            if status.state not in _HAS_AUDIO:
                return f"{stream}: {status.state}" + (f": {status.detail}" if status.detail else "")
        return None
