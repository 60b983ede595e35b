"""A subscriber in a process of its own, which notes when each window came."""

import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from whoplays.models.errors import EndpointError
from whoplays.stream.common.terminal import leaving
from whoplays.stream.pubsub.messages import End, Notice, Status, Window
from whoplays.stream.pubsub.subscriber import Subscriber

PATIENCE_S: Final = 30.0


class Arrival(NamedTuple):
    """A window that was received; its times are on the monotonic clock, which all processes of a machine share."""

    end: int
    """Index after the window's last sample."""
    ready_ns: int
    infer_start_ns: int
    infer_end_ns: int
    received_ns: int


class Receiver:
    """Subscribes in another process, from `__enter__` to the end of the stream or `__exit__`."""

    def __init__(self, endpoint: str) -> None:
        # A fresh interpreter: it shares no thread, lock or memory with this one.
        spawn = multiprocessing.get_context("spawn")
        self._endpoint: Final = endpoint
        self._hearing, self._telling = spawn.Pipe(duplex=False)
        self._process: Final = spawn.Process(
            target=_receive, args=(endpoint, self._telling), name="whoplays-receiver", daemon=True
        )

    def __enter__(self) -> Self:
        self._process.start()
        # The other process holds the only end that is left, so that its death is noticed.
        self._telling.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()
        self._hearing.close()

    def status(self) -> Status:
        """What the publisher said first: it listens now.

        Raises:
            EndpointError: nothing was heard from it.
        """
        first = self._next()
        if not isinstance(first, Status):
            raise EndpointError(f"no status came from {self._endpoint}")
        return first

    def arrivals(self) -> list[Arrival]:
        """Every window that was received; waits for the end of the stream.

        Raises:
            EndpointError: the receiving process is gone.
        """
        arrivals: list[Arrival] = self._next()
        return arrivals

    def _next(self) -> Any:
        try:
            if self._hearing.poll(2 * PATIENCE_S):
                return self._hearing.recv()
        except EOFError as error:
            raise EndpointError(f"the process that subscribed to {self._endpoint} is gone") from error
        raise EndpointError(f"the process that subscribed to {self._endpoint} hangs")


def _receive(endpoint: str, telling: Connection) -> None:
    with leaving(), Subscriber(endpoint, silence_s=PATIENCE_S) as subscriber:
        telling.send(next(subscriber))
        telling.send(list(_arrivals(subscriber)))


def _arrivals(subscriber: Subscriber) -> Iterator[Arrival]:
    for item in subscriber:
        received_ns = time.monotonic_ns()
        if isinstance(item, Window):
            yield _arrival(item, received_ns)
        if isinstance(item, End) or (isinstance(item, Notice) and item.what == "silent"):
            return


def _arrival(window: Window, received_ns: int) -> Arrival:
    closed_ns = window.closed_ns - (time.time_ns() - time.monotonic_ns())
    timing = window.timing
    return Arrival(
        window.end,
        closed_ns + timing.ready_ns,
        closed_ns + timing.infer_start_ns,
        closed_ns + timing.infer_end_ns,
        received_ns,
    )
