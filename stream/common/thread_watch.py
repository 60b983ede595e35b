"""Threads that must not end: each is started again, counted, and known to monitoring."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from structlog.typing import FilteringBoundLogger

from whoplays.stream.common.backoff import Backoff

UNHEALTHY_S: Final = 60.0
"""For so long after it was started again a thread counts as unhealthy: it may fail again."""


@dataclass(slots=True)
class _Failures:
    count: int
    reason: str
    newest_s: float
    running: bool


class ThreadWatch:
    """What unforeseen errors end is logged with its traceback, counted, and started again; for any thread."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log: Final = log
        self._failures: Final[dict[str, _Failures]] = {}

    def run(self, name: str, work: Callable[[], None], stopped: threading.Event) -> None:
        """Call `work` until it returns, or until stopped; after an error again, with growing pauses."""
        for _ in Backoff(stopped).attempts():
            if self.attempt(name, work):
                return

    def attempt(self, name: str, work: Callable[[], None]) -> bool:
        """Call `work` once; whether it returned."""
        failures = self._failures.get(name)
        if failures:
            failures.running = True
        try:
            work()
        except Exception as error:  # noqa: BLE001  whatever nobody has foreseen
            count = failures.count + 1 if failures else 1
            reason = f"{type(error).__name__}: {error}"
            self._failures[name] = _Failures(count, reason, time.monotonic(), running=False)
            self._log.exception(f"{name} failed unexpectedly; it is started again", failures=count)
            return False
        return True

    @property
    def failures(self) -> Mapping[str, int]:
        """By name, how often each failed."""
        return {name: failures.count for name, failures in tuple(self._failures.items())}

    def trouble(self) -> str | None:
        """What failed of late, in one line; None if nothing did."""
        for name, failures in tuple(self._failures.items()):
            if not failures.running or time.monotonic() - failures.newest_s < UNHEALTHY_S:
                return f"{name} failed unexpectedly: {' '.join(failures.reason.split())}"
        return None
