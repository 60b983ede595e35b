"""Receiving windows, here or in another process, with the times at which they went through."""

import multiprocessing
import time
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from whoplays.models.errors import EndpointError
from whoplays.stream.common.terminal import end_on_signals
from whoplays.stream.pubsub.messages import End, Message, Notice, Status, Window
from whoplays.stream.pubsub.subscriber import Subscriber

SILENCE_S: Final = 30.0


class Arrival(NamedTuple):
    """A window that was received; its times are on the monotonic clock, which all processes of a machine share."""

    end: int
    """Index after the window's last sample."""
    arrived_ns: int
    """When its last sample had arrived, and it could have been inferred."""
    infer_start_ns: int
    infer_end_ns: int
    received_ns: int


class WindowTimes(NamedTuple):
    """The times at which a window went through, on the monotonic clock; none is before the one before it."""

    due_ns: int
    sent_ns: int
    arrived_ns: int
    infer_start_ns: int
    infer_end_ns: int
    received_ns: int


def window_times(due_ns: int, sent_ns: int, arrival: Arrival) -> WindowTimes:
    """The times of a window from when its last sample was due, and was sent."""
    # The time of arrival is an estimate, which may be a little before the sending.
    return WindowTimes(due_ns, sent_ns, max(sent_ns, arrival.arrived_ns), *arrival[2:])


class SubscriberProcess:
    """Subscribes in another process, from `__enter__` to the end of the stream or `__exit__`."""

    def __init__(self, endpoint: str) -> None:
        # A fresh interpreter: it shares no thread, lock or memory with this one.
        spawn = multiprocessing.get_context("spawn")
        self._endpoint: Final = endpoint
        self._receiving, self._sending = spawn.Pipe(duplex=False)
        self._process: Final = spawn.Process(
            target=_subscribe, args=(endpoint, self._sending), name="whoplays-subscriber", daemon=True
        )

    def __enter__(self) -> Self:
        self._process.start()
        # The other process holds the only sending end that is left, so that its exit is noticed.
        self._sending.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()
        self._receiving.close()

    def status(self) -> Status:
        """The publisher's first message.

        Raises:
            EndpointError: the first message is another, or none came.
        """
        first = self._next()
        if not isinstance(first, Status):
            raise EndpointError(f"no status came from {self._endpoint}")
        return first

    def arrivals(self) -> tuple[list[Arrival], int]:
        """Every window that was received, and how many the publisher dropped; waits for the end of the stream.

        Raises:
            EndpointError: the process has exited, or sends nothing.
        """
        arrivals: tuple[list[Arrival], int] = self._next()
        return arrivals

    def _next(self) -> Any:
        try:
            if self._receiving.poll(2 * SILENCE_S):
                return self._receiving.recv()
        except EOFError as error:
            raise EndpointError(f"the process that subscribed to {self._endpoint} has exited") from error
        raise EndpointError(f"the process that subscribed to {self._endpoint} does not answer")


def _subscribe(endpoint: str, connection: Connection) -> None:
    # Whoever measures may have been ended by a signal.
    with suppress(BrokenPipeError), end_on_signals(), Subscriber(endpoint, silence_s=SILENCE_S) as subscriber:
        connection.send(next(subscriber))
        connection.send(collect_arrivals(subscriber))


def collect_arrivals(items: Iterable[Message | Notice]) -> tuple[list[Arrival], int]:
    """Every window up to the end of the stream, and how many the publisher says it dropped."""
    arrivals, dropped = list[Arrival](), 0
    for item in items:
        received_ns = time.monotonic_ns()
        if isinstance(item, Window):
            arrivals.append(arrival_of(item, received_ns))
        if isinstance(item, Status):
            dropped = item.counters.dropped_windows
        if isinstance(item, End) or (isinstance(item, Notice) and item.what == "silent"):
            break
    return arrivals, dropped


def arrival_of(window: Window, received_ns: int) -> Arrival:
    """A window that was received at a monotonic time."""
    closed_ns = window.closed_ns - (time.time_ns() - time.monotonic_ns())
    timing = window.timing
    return Arrival(
        window.end,
        min(closed_ns, closed_ns + timing.ready_ns),
        closed_ns + timing.infer_start_ns,
        closed_ns + timing.infer_end_ns,
        received_ns,
    )
