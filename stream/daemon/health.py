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
        """Which streams get audio, but no results, in one line; None if there is none."""
        found = []
        for stream, status in tuple(self._statuses.items()):
            behind = status.counters.elapsed_samples - self._recognized.get(stream, 0)
            allowed = status.window_samples + status.hop_samples + round(SPARE_S * SAMPLE_RATE_HZ)
            if status.state in _HAS_AUDIO and behind > allowed:
                found.append(f"{stream}: no window for {behind / SAMPLE_RATE_HZ:.0f} s of audio")
        return "; ".join(found) or None

    def unready(self) -> str | None:
        """Which streams get no audio, in one line; None if all do."""
        found = [f"{stream}: failed: {detail}" for stream, detail in tuple(self._failed.items())]
        for stream, status in tuple(self._statuses.items()):
            if status.state not in _HAS_AUDIO:
                found.append(f"{stream}: {status.state}" + (f": {status.detail}" if status.detail else ""))
        if not self._statuses and not found:
            return "no stream has begun yet"
        return "; ".join(found) or None
