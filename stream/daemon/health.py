"""Whether windows flow: where audio comes in, results must come out."""

from collections.abc import Container
from typing import Final

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.pubsub.messages import End, Message, Status, Window

_SOUNDING: Final = frozenset({"listening", "silent"})
SPARE_S: Final = 15.0


class HealthMonitor:
    """Follows all streams' messages; may be asked from any thread."""

    def __init__(self) -> None:
        self._judged: Final[dict[str, int]] = {}
        self._statuses: Final[dict[str, Status]] = {}
        self._failed: Final[dict[str, str]] = {}

    def follow(self, message: Message) -> None:
        """Take in the next message."""
        match message:
            case Status(stream=stream, session=session):
                known = self._statuses.get(stream)
                if known is None or known.session != session:
                    self._judged[stream] = 0
                self._statuses[stream] = message
                self._failed.pop(stream, None)
            case Window(stream=stream):
                self._judged[stream] = message.end
            case End(stream=stream):
                self._statuses.pop(stream, None)
                self._judged.pop(stream, None)
                if message.reason == "failed":
                    self._failed[stream] = message.detail

    def expect(self, streams: Container[str]) -> None:
        """Forget what failed, if it is not among the streams that are wanted."""
        for stream in tuple(self._failed):
            if stream not in streams:
                self._failed.pop(stream, None)

    def stuck(self) -> str | None:
        """Which stream hears, but is not judged, in one line; None if there is none."""
        for stream, status in tuple(self._statuses.items()):
            behind = status.counters.elapsed_samples - self._judged.get(stream, 0)
            allowed = status.window_samples + status.hop_samples + round(SPARE_S * SAMPLE_RATE_HZ)
            if status.state in _SOUNDING and behind > allowed:
                return f"{stream}: no window was judged for {behind / SAMPLE_RATE_HZ:.0f} s of audio"
        return None

    def unready(self) -> str | None:
        """Which stream is not heard, in one line; None if all are."""
        for stream, detail in tuple(self._failed.items()):
            return f"{stream}: failed: {detail}"
        if not self._statuses:
            return "no stream is heard yet"
        for stream, status in tuple(self._statuses.items()):
            if status.state not in _SOUNDING:
                return f"{stream}: {status.state}" + (f": {status.detail}" if status.detail else "")
        return None
