"""Publishing messages over ZeroMQ."""

import errno
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, Self

import zmq

from whoplays.models.errors import EndpointError
from whoplays.stream.common.descriptors import connection_share, require_descriptors
from whoplays.stream.common.worker_thread import WorkerThread
from whoplays.stream.pubsub.endpoint import check_bind, enable_ipv6, enable_keepalive, is_in_use
from whoplays.stream.pubsub.messages import Message, encode, topic_of
from whoplays.stream.security.allow_list import ServerKeys, zap_authenticator
from whoplays.stream.security.connections import HANDSHAKE_MS, ConnectionLimits
from whoplays.stream.security.handshakes import Handshakes

QUEUE_MESSAGES: Final = 10_000
HIGH_WATER_MESSAGES: Final = 10_000
LINGER_MS: Final = 2_000
POLL_S: Final = 0.05
MAX_SUBSCRIBERS: Final = 1_000
MAX_SUBSCRIPTION_BYTES: Final = 4_096
"""Of one message of a subscriber, its handshake included; ZeroMQ takes a hundred times as much memory for it."""
RECEIVE_QUEUE_MESSAGES: Final = 16
RECEIVE_BUFFER_BYTES: Final = 16_384
"""What the system is asked to keep of one subscriber; it must not read ahead what would be too much."""
MESSAGES_A_TURN: Final = 100
"""So many are sent, and then so many of subscribers' are taken, by turns."""

Frames = tuple[bytes, bytes]


class Publisher(WorkerThread[Frames]):
    """Sends messages to every subscriber; one thread owns the socket, from `__enter__` to `__exit__`.

    Nobody waits for a slow subscriber: past the high-water mark it loses messages, and sees that from their `seq`.
    On leaving, everything queued is sent, and the last messages get up to two seconds to reach their subscribers.

    Args:
        endpoint: a ZeroMQ address; port `*` takes any free one.
        insecure: allow an address that is open to the network without keys.
        keys: encrypt, and admit those alone whose keys are allowed.
        on_handshake_failed: called, at most every ten seconds, with why clients were refused; in another thread.

    Raises:
        EndpointError: the address is malformed, or open to the network; on entering: it is in use.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        insecure: bool = False,
        keys: ServerKeys | None = None,
        on_handshake_failed: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__("whoplays-publisher", QUEUE_MESSAGES)
        check_bind(endpoint, insecure=insecure, encrypted=keys is not None)
        self.endpoint = endpoint
        """Once entered, the address as it is bound."""
        self.handshakes: Final = Handshakes(on_handshake_failed, subscriber_limits())
        """How many subscribers were admitted and refused, and how many are connected."""
        self.dropped = 0
        """Messages given up because the queue was full."""
        self._keys: Final = keys
        self._joined: Final = threading.Event()

    def __enter__(self) -> Self:
        require_descriptors(f"publish on {self.endpoint}", EndpointError)
        with ExitStack() as stack:
            context = stack.enter_context(zmq.Context())
            stack.enter_context(zap_authenticator(context, self._keys))
            socket = stack.enter_context(self._socket(context))
            stack.enter_context(self.handshakes.watching(socket))
            _bind(socket, self.endpoint)
            self.endpoint = socket.getsockopt_string(zmq.LAST_ENDPOINT)
            # From here on all of it is the thread's.
            self._start(self._run, socket, stack.pop_all())
        return self

    def send(self, message: Message, *, wait: bool = False) -> None:
        """Queue a message; when the queue is full, give it up and count it, or wait for room.

        Whatever has ended the socket's thread is raised here, and on leaving.
        """
        frames = (topic_of(message.stream, message.kind).encode("ascii"), encode(message))
        if not self._put(frames, timeout_s=None if wait else 0.0):
            self.dropped += 1

    def wait_for_subscriber(self, timeout_s: float) -> bool:
        """Wait until somebody has subscribed; False if nobody did in time."""
        return self._joined.wait(timeout_s)

    def _socket(self, context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
        socket = context.socket(zmq.XPUB)
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MESSAGES)
        socket.setsockopt(zmq.LINGER, LINGER_MS)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_SUBSCRIPTION_BYTES)
        socket.setsockopt(zmq.RCVHWM, RECEIVE_QUEUE_MESSAGES)
        socket.setsockopt(zmq.RCVBUF, RECEIVE_BUFFER_BYTES)
        socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        # Every subscription and its end arrives, so that what each peer holds is known.
        socket.setsockopt(zmq.XPUB_VERBOSER, 1)
        enable_keepalive(socket)
        enable_ipv6(socket, self.endpoint)
        if self._keys:
            self._keys.apply(socket)
        return socket

    def _run(self, socket: zmq.Socket[bytes], owned: ExitStack) -> None:
        with owned, self.handshakes.updating() as updating:
            while not self._finished:
                self._send_queued(socket)
                self._take_subscriptions(socket)
                if updating.done():
                    updating.result()

    def _send_queued(self, socket: zmq.Socket[bytes]) -> None:
        """What is queued comes first, whatever subscribers send; waits for it if they send nothing."""
        frames = self._take(0.0 if socket.poll(0) else POLL_S)
        for _ in range(MESSAGES_A_TURN):
            if frames is None:
                return
            socket.send_multipart(frames)
            frames = self._take(0.0)
        if frames is not None:
            socket.send_multipart(frames)

    def _take_subscriptions(self, socket: zmq.Socket[bytes]) -> None:
        for _ in range(MESSAGES_A_TURN):
            if not socket.poll(0):
                return
            frame = socket.recv(copy=False)
            begins = frame.bytes.startswith(b"\x01")
            self.handshakes.open.took(frame, len(frame) if begins else -len(frame))
            if begins:
                self._joined.set()


def subscriber_limits() -> ConnectionLimits:
    """What subscribers may take: memory for 64 KiB of prefixes each, of all together 100 MB."""
    return ConnectionLimits(
        connections=connection_share(MAX_SUBSCRIBERS),
        unread_bytes=65_536,
        all_unread_bytes=1 << 20,
        bytes_per_s=4_096,
        held_bytes=65_536,
        all_held_bytes=1 << 20,
    )


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> None:
    try:
        if is_in_use(endpoint):
            raise zmq.ZMQError(errno.EADDRINUSE)
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        socket.linger = 0
        if error.errno == errno.EADDRINUSE:
            raise EndpointError(f"{endpoint} is in use; publish on another address") from error
        raise EndpointError(f"cannot publish on {endpoint}: {error.strerror}") from error
