"""What a stream says of itself, held against itself at every message."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from whoplays.stream.pubsub.messages import End, Gap, Message, Status, Window


class Account:
    """One session's account: what the windows and gaps add up to, and whether the statuses agree.

    Args:
        first: the first message of the session, which is not followed yet.
    """

    def __init__(self, first: Message) -> None:
        self.stream: Final = first.stream
        self.session: Final = first.session
        self.covered = 0
        """Every sample before this index is in a window, or in a gap for want of time."""
        self.elapsed = 0
        """By the newest status or `end`."""
        self.lost = 0
        """Samples in gaps; those that two gaps tell of count once."""
        self.overload = 0
        """Samples of gaps for want of time."""
        self.invented = 0
        """Samples of all other gaps; some may have been given up for want of time as well."""
        self.windows = 0
        self.dropped_windows = 0
        self.dropped_messages = 0
        self.hop_samples = 0
        self.ended: End | None = None
        self.lags_ns: Final[list[int]] = []
        self.holes: Final[list[str]] = []
        """Where the windows and gaps leave a hole, in words."""
        self.disagreements: Final[list[str]] = []
        """Where a status disagrees with the messages before it, in words."""
        self._gaps = 0
        self._spans: Final[list[tuple[int, int]]] = []

    def follow(self, message: Message) -> None:
        """Enter the next message."""
        match message:
            case Window():
                self._cover(message.start, message.end)
                self.windows += 1
                self.lags_ns.append(message.timing.infer_end_ns)
            case Gap():
                self._gap(message)
            case Status():
                self._check(message)
            case End():
                self._end(message)

    def _cover(self, start: int, end: int) -> None:
        if start > self.covered:
            self.holes.append(f"{self.stream}: nothing says what became of samples {self.covered} to {start}")
        self.covered = max(self.covered, end)

    def _gap(self, gap: Gap) -> None:
        self._gaps += 1
        self.lost += self._add(gap.start, gap.end)
        if gap.cause == "overload":
            self._cover(gap.start, gap.end)
            self.overload += gap.end - gap.start
        else:
            self.invented += gap.end - gap.start

    def _check(self, status: Status) -> None:
        counters, self.hop_samples = status.counters, status.hop_samples
        told = {
            "heard and lost": (counters.heard_samples + counters.lost_samples, counters.elapsed_samples),
            "lost samples": (counters.lost_samples, self.lost),
            "windows": (counters.windows, self.windows),
            "gaps": (counters.gaps, self._gaps),
        }
        if status.hop_samples == status.window_samples:
            told["samples of dropped windows"] = (counters.dropped_windows * status.hop_samples, self.overload)
        self.disagreements.extend(f"{self.stream}: {what}: {a}, not {b}" for what, (a, b) in told.items() if a != b)
        self.disagreements.extend(self._backwards(counters.elapsed_samples))
        self.elapsed = counters.elapsed_samples
        self.dropped_windows, self.dropped_messages = counters.dropped_windows, counters.dropped_messages

    def _backwards(self, elapsed: int) -> Iterator[str]:
        if elapsed < max(self.elapsed, self.covered):
            yield f"{self.stream}: {elapsed} samples elapsed, but {max(self.elapsed, self.covered)} before"

    def _end(self, end: End) -> None:
        if end.final != self.elapsed:
            self.disagreements.append(f"{self.stream}: the last sample is {end.final}, not {self.elapsed}")
        if end.final - self.covered >= self.hop_samples > 0:
            self.holes.append(f"{self.stream}: nothing says what became of samples {self.covered} to {end.final}")
        self.ended = end

    def _add(self, start: int, end: int) -> int:
        """How many of the samples are in no gap before; from now on they are in one."""
        first = bisect_left(self._spans, start, key=lambda span: span[1])
        last = bisect_left(self._spans, end + 1, key=lambda span: span[0])
        before = self._spans[first:last]
        whole = (min([start, *(s for s, _ in before)]), max([end, *(e for _, e in before)]))
        self._spans[first:last] = [whole]
        return whole[1] - whole[0] - sum(e - s for s, e in before)
