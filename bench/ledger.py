"""The accounts of all streams of a daemon, as a subscriber keeps them."""

import time
from collections.abc import Callable
from itertools import chain
from typing import Final

from whoplays.bench.stream_audit import Account
from whoplays.stream.pubsub.messages import Message, Status
from whoplays.stream.pubsub.subscriber import Subscriber

Due = Callable[[int], int]
"""How many samples of each stream are due by a monotonic time."""


class Ledger:
    """Follows a subscriber, and keeps an account of every session of every stream.

    Args:
        subscriber: hears the daemon.
        due: the sender's schedule, against which elapsed samples are held.
    """

    def __init__(self, subscriber: Subscriber, due: Due) -> None:
        self.accounts: Final[dict[tuple[str, str], Account]] = {}
        """By stream and session, in the order in which they began."""
        self.furthest_off = 0
        """The most samples by which a status was off the schedule: positive if ahead of it."""
        self.statuses = 0
        self.newest: Status | None = None
        self._subscriber: Final = subscriber
        self._due: Final = due

    def follow(self, until: Callable[[], bool]) -> bool:
        """Enter what is heard until something is so; False if the daemon falls silent before."""
        while not until():
            item = next(self._subscriber)
            if isinstance(item, Message):
                self._enter(item)
            elif item.what == "silent":
                return False
        return True

    @property
    def streams(self) -> set[str]:
        """Of which streams something was heard."""
        return {stream for stream, _ in self.accounts}

    @property
    def ended(self) -> set[str]:
        """Which streams have said `end`."""
        return {account.stream for account in self.accounts.values() if account.ended}

    @property
    def elapsed(self) -> int:
        """How far every stream has come at least."""
        return min(account.elapsed for account in self.accounts.values())

    @property
    def holes(self) -> list[str]:
        """Where windows and gaps leave a hole, in words."""
        return list(chain.from_iterable(account.holes for account in self.accounts.values()))

    @property
    def disagreements(self) -> list[str]:
        """Where a status disagrees with the messages before it, in words."""
        return list(chain.from_iterable(account.disagreements for account in self.accounts.values()))

    def _enter(self, message: Message) -> None:
        key = (message.stream, message.session)
        if key not in self.accounts:
            self.accounts[key] = Account(message)
        self.accounts[key].follow(message)
        if isinstance(message, Status):
            self.statuses += 1
            self.newest = message
            self._compare(message)

    def _compare(self, status: Status) -> None:
        """Hold a status against the schedule at the moment at which it was made."""
        made_ns = status.published_ns - (time.time_ns() - time.monotonic_ns())
        off = status.counters.elapsed_samples - self._due(made_ns)
        self.furthest_off = max(self.furthest_off, off, key=abs)
