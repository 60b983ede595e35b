"""Results of handshakes, which ZeroMQ itself does not report."""

import errno
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import zmq
from zmq.utils.monitor import recv_monitor_message

from whoplays.stream.security.connections import ConnectionLimits, Connections

REPEAT_S: Final = 10.0
"""A client that is refused tries again ten times a second; it is reported no more often than this."""
MAX_EVENTS: Final = 500
"""In one update: however many connections come and go, there is time for what they are for."""
KEPT_EVENTS: Final = 10_000
"""More than ZeroMQ ever keeps."""
LOOK_S: Final = 0.01
"""How often connections are looked at in a thread of their own."""
IDLE_MS: Final = 100
"""While there are none, the first one is waited for."""
_REASONS: Final = {
    zmq.Event.HANDSHAKE_FAILED_AUTH: "the client's key is not allowed",
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL: "the keys of both ends do not belong together, or one has none",
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL: "the other end left; perhaps the keys do not belong together",
}
_OPENED: Final = zmq.EVENT_ACCEPTED | zmq.EVENT_CONNECTED
_WATCHED: Final = _OPENED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | sum(_REASONS)


class Handshakes:
    """Counts the handshakes of one socket; one thread calls `update` again and again.

    Args:
        on_failed: is called, at most every ten seconds, with why a handshake failed, or a connection was ended.
        limits: of the connections that the socket accepts.
    """

    def __init__(self, on_failed: Callable[[str], None] | None = None, limits: ConnectionLimits | None = None) -> None:
        self.succeeded = 0
        self.failed = 0
        self.up = False
        """Whether the newest handshake succeeded and nothing was disconnected since: of a socket that connects to one
        address, whether it is connected."""
        self.reason = ""
        """Why the newest one failed; empty if it succeeded."""
        self._on_failed: Final = on_failed
        self.open: Final = Connections(limits, on_failed)
        """The connections that are open now, also those still in their handshake."""
        self._report_from_s = 0.0
        self._events: zmq.Socket[bytes] | None = None

    @property
    def connections(self) -> int:
        """How many are open now, also those still in their handshake."""
        return len(self.open)

    @contextmanager
    def watching(self, socket: zmq.Socket[bytes]) -> Iterator[None]:
        """Follow a socket that is not yet bound or connected; leave before it is closed."""
        self.open.clear()
        self._events = socket.get_monitor_socket(_WATCHED)
        try:
            yield
        finally:
            # Once 2,000 events wait to be read, ZeroMQ waits as well, and would do so for ever in what follows.
            self.update(most_events=KEPT_EVENTS)
            socket.disable_monitor()
            self._events.close(linger=0)
            self._events = None

    @contextmanager
    def updating(self) -> Iterator[Future[None]]:
        """Call `update` in a thread of its own; the future is done if that has failed.

        For a socket of subscribers: ZeroMQ takes what they send, inside of whatever its owner asks of it, for as long
        as there is more. Only another thread can end the connections of those who send without end.
        """
        over = threading.Event()

        def work() -> None:
            while not over.is_set():
                if self.connections or self._events is None:
                    over.wait(LOOK_S)
                else:
                    self._events.poll(IDLE_MS)
                self.update()

        with ThreadPoolExecutor(1, thread_name_prefix="whoplays-connections") as thread:
            try:
                yield thread.submit(work)
            finally:
                over.set()

    def update(self, most_events: int = MAX_EVENTS) -> None:
        """Count what happened since the last call, and end the connections that take too much."""
        for _ in range(most_events):
            if self._events is None or not self._events.poll(0):
                break
            message = recv_monitor_message(self._events)
            self._count(zmq.Event(message["event"]), message["value"])
        self.open.enforce()

    def _count(self, event: zmq.Event, value: int) -> None:
        if event & _OPENED:
            self.open.opened(value)
        elif event == zmq.Event.DISCONNECTED:
            self.open.closed(value)
            self.up = False
        elif event == zmq.Event.HANDSHAKE_SUCCEEDED:
            self.succeeded += 1
            self.up, self.reason = True, ""
        elif event in _REASONS:
            self._fail(_REASONS[event])

    def _fail(self, reason: str) -> None:
        self.failed += 1
        self.reason = reason
        if self._on_failed and time.monotonic() >= self._report_from_s:
            self._report_from_s = time.monotonic() + REPEAT_S
            self._on_failed(f"a handshake failed: {reason}; {self.failed} so far")


RETRY_S: Final = 1.0


class Reconnector:
    """Keeps a socket connecting: ZeroMQ gives up when a handshake fails, although keys can be allowed later."""

    def __init__(self, socket: zmq.Socket[bytes], endpoint: str, handshakes: Handshakes) -> None:
        self._socket: Final = socket
        self._endpoint: Final = endpoint
        self._handshakes: Final = handshakes
        self._failed = 0
        self._retry_at_s: float | None = None

    def update(self) -> None:
        """Count handshakes, and connect again if it is time; for the thread that owns the socket."""
        self._handshakes.update()
        if not self._handshakes.reason:
            self._failed, self._retry_at_s = self._handshakes.failed, None
        elif self._retry_at_s is None and self._handshakes.failed > self._failed:
            self._failed, self._retry_at_s = self._handshakes.failed, time.monotonic() + RETRY_S
        elif self._retry_at_s is not None and time.monotonic() >= self._retry_at_s:
            self._failed, self._retry_at_s = self._handshakes.failed, None
            self._reconnect()

    def _reconnect(self) -> None:
        try:
            self._socket.disconnect(self._endpoint)
        except zmq.ZMQError as error:
            # A connection that was given up is no longer known.
            if error.errno != errno.ENOENT:
                raise
        self._socket.connect(self._endpoint)
