"""Which messages become a line in the log."""

import time
from typing import Final

from structlog.typing import FilteringBoundLogger

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.pubsub.messages import Alert, End, Event, Message, Status

_WARNED: Final = frozenset({"stalled", "lost"})
LOSSES_EVERY_S: Final = 10.0


class EventLog:
    """Logs which instruments enter and leave, each stream's state, and, of lost audio, a sum every ten seconds."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log: Final = log
        self._statuses: Final[dict[str, Status]] = {}
        self._lost: Final[dict[str, int]] = {}
        self._due_s: Final[dict[str, float]] = {}

    def handle(self, message: Message) -> None:
        """Log a message that brings news."""
        match message:
            case Status():
                self._status(message)
            case Event():
                verb = "enters" if message.phase == "start" else "leaves"
                self._log.info(f"{message.label} {verb}", stream=message.stream, at_s=_seconds(message.at))
            case Alert():
                self._alert(message)
            case End():
                self._log.info("ended", stream=message.stream, reason=message.reason, detail=message.detail)
                for known in (self._statuses, self._lost, self._due_s):
                    known.pop(message.stream, None)

    def _status(self, status: Status) -> None:
        before = self._statuses.get(status.stream)
        self._statuses[status.stream] = status
        begun = before is None or before.session != status.session
        if begun:
            self._lost[status.stream] = 0
            self._log.info("session", stream=status.stream, session=status.session, source=status.source.uri)
        changed = begun or before is None or (status.state, status.detail) != (before.state, before.detail)
        if changed and status.state != "ended":
            write = self._log.warning if status.state in _WARNED or status.detail else self._log.info
            write(status.state, stream=status.stream, **({"detail": status.detail} if status.detail else {}))
        self._losses(status)

    def _alert(self, alert: Alert) -> None:
        write = self._log.info if alert.recovered else self._log.warning
        write("alert recovered" if alert.recovered else "alert", stream=alert.stream, rule=alert.rule)

    def _losses(self, status: Status) -> None:
        lost, now_s = status.counters.lost_samples, time.monotonic()
        more = lost - self._lost[status.stream]
        if more and status.state != "lost" and now_s >= self._due_s.get(status.stream, 0.0):
            self._lost[status.stream] = lost
            self._due_s[status.stream] = now_s + LOSSES_EVERY_S
            self._log.warning("lost audio", stream=status.stream, lost_s=_seconds(more), in_all_s=_seconds(lost))


def _seconds(samples: int) -> float:
    return round(samples / SAMPLE_RATE_HZ, 3)
