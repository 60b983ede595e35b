"""Whether everything that happened to a stream is accounted for."""

from collections.abc import Iterable
from itertools import pairwise

from tests.stream.faults.seen import SECOND, Seen
from whoplays.stream.pubsub.messages import Gap, Message, Status, Window

BETWEEN_S = 1.5
KEPT_S = 5.0


def check_account(seen: Seen, *, whole: bool) -> None:
    """Heard and lost are all that elapsed; windows and gaps leave no hole; nor does the time between two sessions.

    Args:
        seen: what the subscriber saw of a stream.
        whole: False if nobody was there to account for the time between two sessions.
    """
    for messages in seen.by_session():
        check_counters(messages)
        check_tiles(messages)
    for before, after in pairwise(range(len(seen.sessions) if whole else 0)):
        check_between(seen, before, after)


def check_counters(messages: Iterable[Message]) -> None:
    """At every status of a session, what is lost is what its gaps have told by then, and the rest was heard."""
    lost: list[tuple[int, int]] = []
    for message in messages:
        if isinstance(message, Gap):
            lost.append((message.start, message.end))
        if isinstance(message, Status):
            counters = message.counters
            assert counters.heard_samples + counters.lost_samples == counters.elapsed_samples
            assert counters.lost_samples == sum(end - start for start, end in union(lost))


def check_tiles(messages: Iterable[Message]) -> None:
    """The windows and gaps of a session follow one another; only what does not fill its last window is in neither."""
    parts = [m for m in messages if isinstance(m, Window | Gap)]
    if not parts:
        return
    spans = union((part.start, part.end) for part in parts)
    assert spans[0][0] == 0
    holes = [(before[1], after[0]) for before, after in pairwise(spans)]
    last = max((part.end for part in parts if isinstance(part, Window)), default=0)
    assert all(start >= last for start, _ in holes), holes
    assert sum(end - start for start, end in holes) < 3 * SECOND, holes


def check_between(seen: Seen, before: int, after: int) -> None:
    """The gap at the end of a session reaches to the beginning of the next one."""
    gap = seen.of(Gap, before)[-1]
    hole_ns = seen.captured_at_ns(0, after) - seen.captured_at_ns(gap.end, before)
    assert hole_ns / 1e9 < BETWEEN_S
    # What a source had kept before it was listened to is heard in the end: then the gap was told to be longer.
    assert hole_ns / 1e9 > -KEPT_S


def union(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans, half open, that overlap or touch, as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
