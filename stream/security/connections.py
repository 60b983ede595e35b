"""The connections that a bound ZeroMQ socket has accepted, and the end of those that take more than their share.

ZeroMQ bounds neither how many subscriptions a peer may hold, nor how many parts a message may have, nor how many
connections a socket may accept. What the system knows of each connection is enough to bound them from outside.
"""

import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import zmq

REPEAT_S: Final = 10.0
"""Connections that are ended are reported no more often than this."""
HANDSHAKE_MS: Final = 10_000
"""Whoever has not said by then who it is gets disconnected by ZeroMQ."""
_LINUX: Final = sys.platform == "linux"
_SO_COOKIE: Final = 57
_TCP_INFO_BYTES: Final = 136
_RECEIVED_AT: Final = 128
"""Where `tcpi_bytes_received` is in `struct tcp_info` (linux/tcp.h)."""


class ConnectionLimits(NamedTuple):
    """What one connection may take, and all of them."""

    connections: int
    """How many may be open; past it those end first that were never used."""
    unread_bytes: int
    """How much a peer may send ahead of what is taken from it."""
    all_unread_bytes: int
    """And all of them."""
    bytes_per_s: float = 0.0
    """How much of that is forgiven in a second."""
    held_bytes: int = 0
    """What the subscriptions of one may hold; 0 if there are none."""
    all_held_bytes: int = 0
    """And those of all."""


@dataclass
class Connection:
    """An accepted connection."""

    descriptor: int
    cookie: bytes
    """Tells the system's socket from a later one of the same descriptor."""
    seen_s: float = field(default_factory=time.monotonic)
    used: bool = False
    """Whether any message of it was taken."""
    held_bytes: int = 0
    """Of its subscriptions."""
    received_bytes: int = 0
    """In all, when last looked."""
    unread_bytes: float = 0.0


class Connections:
    """Those of one socket; for the thread that owns the socket.

    Args:
        limits: None if the socket does not accept, but connects.
        on_ended: is called, at most every ten seconds, with why a connection was ended.
    """

    def __init__(self, limits: ConnectionLimits | None = None, on_ended: Callable[[str], None] | None = None) -> None:
        self.ended = 0
        """How many were ended because they took too much."""
        self.reason = ""
        """Why the newest of them was."""
        self._limits: Final = limits
        self._on_ended: Final = on_ended
        self._open: Final[dict[int, Connection]] = {}
        self._report_from_s = 0.0

    def __len__(self) -> int:
        return len(self._open)

    def clear(self) -> None:
        """Forget all of them: the socket is another one."""
        self._open.clear()

    def opened(self, descriptor: int) -> None:
        """The socket has accepted one, or is connected."""
        self._open[descriptor] = Connection(descriptor, _cookie(descriptor) if self._limits else b"")

    def closed(self, descriptor: int) -> None:
        """One is over."""
        self._open.pop(descriptor, None)

    def took(self, frame: zmq.Frame, subscription_bytes: int = 0) -> None:
        """A message was taken.

        Args:
            frame: its last one as it was received; what was made up when a connection ended belongs to none.
            subscription_bytes: by how much more, or less, its sender now holds.
        """
        descriptor = _descriptor(frame)
        connection = self._open.get(descriptor) if descriptor is not None else None
        if connection is None or self._limits is None:
            return
        connection.used = True
        connection.held_bytes = max(0, connection.held_bytes + subscription_bytes)
        if not self._limits.held_bytes:
            # The messages before it are complete; what is not may be one that never ends.
            connection.received_bytes = _received(connection) or connection.received_bytes
            connection.unread_bytes = 0.0

    def enforce(self) -> None:
        """End the connections that take more than their share."""
        if self._limits is None:
            return
        for connection in tuple(self._open.values()):
            self._look(connection, self._limits)
        self._bound_all(self._limits)

    def _look(self, connection: Connection, limits: ConnectionLimits) -> None:
        received = _received(connection)
        now_s = time.monotonic()
        if received is not None:
            forgiven = limits.bytes_per_s * (now_s - connection.seen_s)
            connection.unread_bytes += received - connection.received_bytes
            connection.unread_bytes = max(0.0, connection.unread_bytes - forgiven)
            connection.received_bytes = received
        connection.seen_s = now_s
        if connection.unread_bytes > limits.unread_bytes:
            self._end(connection, f"it sent more than {limits.unread_bytes} bytes that cannot be taken")
        elif limits.held_bytes and connection.held_bytes > limits.held_bytes:
            self._end(connection, f"its subscriptions hold more than {limits.held_bytes} bytes")

    def _bound_all(self, limits: ConnectionLimits) -> None:
        while len(self._open) > limits.connections:
            # The oldest of those that were never used; or else the newest, so that nobody loses what it has.
            unused = (connection for connection in self._open.values() if not connection.used)
            self._end(
                next(unused, None) or next(reversed(self._open.values())),
                f"more than {limits.connections} are open",
            )
        while sum(each.held_bytes for each in self._open.values()) > limits.all_held_bytes:
            most = max(self._open.values(), key=lambda connection: connection.held_bytes)
            self._end(most, f"the subscriptions of all hold more than {limits.all_held_bytes} bytes")
        while sum(each.unread_bytes for each in self._open.values()) > limits.all_unread_bytes:
            most = max(self._open.values(), key=lambda connection: connection.unread_bytes)
            self._end(most, f"all sent more than {limits.all_unread_bytes} bytes that cannot be taken")

    def _end(self, connection: Connection, reason: str) -> None:
        self._open.pop(connection.descriptor, None)
        _disconnect(connection)
        self.ended += 1
        self.reason = reason
        if self._on_ended and time.monotonic() >= self._report_from_s:
            self._report_from_s = time.monotonic() + REPEAT_S
            self._on_ended(f"a connection was ended: {reason}; {self.ended} so far")


def _descriptor(frame: zmq.Frame) -> int | None:
    """Of the connection that brought a frame."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return None


@contextmanager
def _borrowed(descriptor: int) -> Iterator[socket.socket]:
    """The system's socket, which stays ZeroMQ's; takes no descriptor. ZeroMQ's own thread may close it at any time."""
    system = socket.socket(fileno=descriptor)
    try:
        yield system
    finally:
        system.detach()


def _cookie(descriptor: int) -> bytes:
    """What tells a socket of the system from all others; empty if it is closed already."""
    with suppress(OSError), _borrowed(descriptor) as system:
        return _cookie_of(system)
    return b""


def _cookie_of(system: socket.socket) -> bytes:
    return system.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8) if _LINUX else b""


def _received(connection: Connection) -> int | None:
    """How many bytes have come by it since it began; None if it is closed, or the system does not say."""
    with suppress(OSError), _borrowed(connection.descriptor) as system:
        if _LINUX and system.family != socket.AF_UNIX and _cookie_of(system) == connection.cookie:
            info = system.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
            return int.from_bytes(info[_RECEIVED_AT:], sys.byteorder)
    return None


def _disconnect(connection: Connection) -> None:
    """Let ZeroMQ see that the other end has left, unless it has."""
    with suppress(OSError), _borrowed(connection.descriptor) as system:
        if _cookie_of(system) == connection.cookie:
            system.shutdown(socket.SHUT_RDWR)
