"""Whether windows, gaps and statuses of every session add up, message by message."""

import time
from bisect import bisect_left
from collections.abc import Callable
from itertools import chain
from typing import Final

from whoplays.stream.pubsub.messages import End, Gap, Message, Status, Window
from whoplays.stream.pubsub.subscriber import Subscriber


class StreamAudit:
    """One session: whether windows and gaps cover all samples, and statuses agree with the messages before them.

    Args:
        first: the first message of the session; it is not added yet.
    """

    def __init__(self, first: Message) -> None:
        self.stream: Final = first.stream
        self.session: Final = first.session
        self.covered = 0
        """Every sample before this index is in a window, or in a gap because of overload."""
        self.elapsed_samples = 0
        """By the newest status or `end`."""
        self.lost_samples = 0
        """Samples in gaps; those in two gaps count once."""
        self.overload_samples = 0
        """Samples of gaps because of overload."""
        self.concealed_samples = 0
        """Samples of all other gaps; some may be in gaps because of overload as well."""
        self.windows = 0
        self.dropped_windows = 0
        self.dropped_messages = 0
        self.hop_samples = 0
        self.end: End | None = None
        self.lags_ns: Final[list[int]] = []
        """From the close of each window to the end of its inference."""
        self.uncovered: Final[list[str]] = []
        """Samples in no window and no gap, in words."""
        self.mismatches: Final[list[str]] = []
        """Where a status disagrees with the messages before it, in words."""
        self._gaps = 0
        self._spans: Final[list[tuple[int, int]]] = []

    def add(self, message: Message) -> None:
        """Add the next message."""
        match message:
            case Window():
                self._cover(message.start, message.end)
                self.windows += 1
                self.lags_ns.append(message.timing.infer_end_ns)
            case Gap():
                self._add_gap(message)
            case Status():
                self._check(message)
            case End():
                self._finish(message)

    def _cover(self, start: int, end: int) -> None:
        if start > self.covered:
            self.uncovered.append(f"{self.stream}: samples {self.covered} to {start} are in no window and no gap")
        self.covered = max(self.covered, end)

    def _add_gap(self, gap: Gap) -> None:
        self._gaps += 1
        self.lost_samples += self._merge(gap.start, gap.end)
        if gap.cause == "overload":
            self._cover(gap.start, gap.end)
            self.overload_samples += gap.end - gap.start
        else:
            self.concealed_samples += gap.end - gap.start

    def _check(self, status: Status) -> None:
        counters, self.hop_samples = status.counters, status.hop_samples
        pairs = {
            "heard and lost samples": (counters.heard_samples + counters.lost_samples, counters.elapsed_samples),
            "lost samples": (counters.lost_samples, self.lost_samples),
            "windows": (counters.windows, self.windows),
            "gaps": (counters.gaps, self._gaps),
        }
        if status.hop_samples == status.window_samples:
            dropped_samples = counters.dropped_windows * status.hop_samples
            pairs["samples of dropped windows"] = (dropped_samples, self.overload_samples)
        self.mismatches.extend(f"{self.stream}: {what}: {a}, not {b}" for what, (a, b) in pairs.items() if a != b)
        before = max(self.elapsed_samples, self.covered)
        if counters.elapsed_samples < before:
            self.mismatches.append(f"{self.stream}: elapsed samples: {counters.elapsed_samples} after {before}")
        self.elapsed_samples = counters.elapsed_samples
        self.dropped_windows, self.dropped_messages = counters.dropped_windows, counters.dropped_messages

    def _finish(self, end: End) -> None:
        if end.final != self.elapsed_samples:
            self.mismatches.append(f"{self.stream}: final sample: {end.final}, not {self.elapsed_samples}")
        if end.final - self.covered >= self.hop_samples > 0:
            self._cover(end.final, end.final)
        self.end = end

    def _merge(self, start: int, end: int) -> int:
        """Add a span to those of the gaps; how many of its samples were in none of them."""
        first = bisect_left(self._spans, start, key=lambda span: span[1])
        last = bisect_left(self._spans, end + 1, key=lambda span: span[0])
        overlapping = self._spans[first:last]
        merged = (min([start, *(s for s, _ in overlapping)]), max([end, *(e for _, e in overlapping)]))
        self._spans[first:last] = [merged]
        return merged[1] - merged[0] - sum(e - s for s, e in overlapping)


class AuditLog:
    """Audits every session of every stream that a subscriber receives.

    Args:
        subscriber: of the daemon.
        due_samples: the sender's schedule: how many samples of each stream are due by a monotonic time in ns.
    """

    def __init__(self, subscriber: Subscriber, due_samples: Callable[[int], int]) -> None:
        self.sessions: Final[dict[tuple[str, str], StreamAudit]] = {}
        """By stream and session, in the order in which they began."""
        self.schedule_error = 0
        """The most samples by which a status was off the schedule: positive if ahead of it."""
        self.statuses = 0
        self.newest: Status | None = None
        self._subscriber: Final = subscriber
        self._due_samples: Final = due_samples

    def receive(self, until: Callable[[], bool]) -> bool:
        """Receive messages until a condition holds; False if the daemon falls silent before."""
        while not until():
            item = next(self._subscriber)
            if isinstance(item, Message):
                self._add(item)
            elif item.what == "silent":
                return False
        return True

    @property
    def streams(self) -> set[str]:
        """The streams of which something was received."""
        return {stream for stream, _ in self.sessions}

    @property
    def ended(self) -> set[str]:
        """The streams of which an `end` was received."""
        return {session.stream for session in self.sessions.values() if session.end}

    @property
    def elapsed_samples(self) -> int:
        """The fewest samples that have elapsed in a session."""
        return min(session.elapsed_samples for session in self.sessions.values())

    @property
    def lags_ns(self) -> list[int]:
        """From the close of each window to the end of its inference, in all sessions."""
        return list(chain.from_iterable(session.lags_ns for session in self.sessions.values()))

    @property
    def uncovered(self) -> list[str]:
        """Samples in no window and no gap, in words."""
        return list(chain.from_iterable(session.uncovered for session in self.sessions.values()))

    @property
    def mismatches(self) -> list[str]:
        """Where a status disagrees with the messages before it, in words."""
        return list(chain.from_iterable(session.mismatches for session in self.sessions.values()))

    def _add(self, message: Message) -> None:
        key = (message.stream, message.session)
        if key not in self.sessions:
            self.sessions[key] = StreamAudit(message)
        self.sessions[key].add(message)
        if isinstance(message, Status):
            self.statuses += 1
            self.newest = message
            self._compare_to_schedule(message)

    def _compare_to_schedule(self, status: Status) -> None:
        """At the moment at which the status was made."""
        made_ns = status.published_ns - (time.time_ns() - time.monotonic_ns())
        error = status.counters.elapsed_samples - self._due_samples(made_ns)
        self.schedule_error = max(self.schedule_error, error, key=abs)
