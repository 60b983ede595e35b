"""How long faults last."""

from collections.abc import Callable
from typing import NamedTuple

from tests.stream.faults.seen import Seen
from whoplays.stream.pubsub.messages import Message, Window


class Times(NamedTuple):
    """How long a fault lasts for the subscriber; None where there is nothing to wait for."""

    told_s: float | None = None
    """From the fault until the subscriber can know of it."""
    back_s: float | None = None
    """From the repair until a window of what is heard again."""


def measure(seen: Seen, fault_ns: int, repair_ns: int, sign: Callable[[Message], bool], session: int = 0) -> Times:
    """How long it took.

    Args:
        seen: what the subscriber saw.
        fault_ns: wall time of the fault.
        repair_ns: wall time of the repair.
        sign: whether a message tells of the fault.
        session: the one whose windows tell that it is over, counted from 0.
    """
    signs = [message for message in seen.messages if message.published_ns > fault_ns and sign(message)]
    windows = [window for window in seen.of(Window, session) if window.published_ns > repair_ns]
    assert signs, seen.states
    assert windows, seen.states
    return Times((signs[0].published_ns - fault_ns) / 1e9, (windows[0].published_ns - repair_ns) / 1e9)
