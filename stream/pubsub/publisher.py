"""Publishing messages over ZeroMQ."""

import errno
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

import zmq

from whoplays.models.errors import EndpointError
from whoplays.stream.pubsub.endpoint import check_bind, is_taken, keep_alive, speak_ipv6
from whoplays.stream.pubsub.messages import Message, encode, kind_of, topic_of
from whoplays.stream.security.allow_list import ServerKeys, zap_authenticator
from whoplays.stream.security.handshakes import Handshakes

QUEUE_MESSAGES: Final = 10_000
HIGH_WATER_MESSAGES: Final = 10_000
LINGER_MS: Final = 2_000
POLL_S: Final = 0.05

Frames = tuple[bytes, bytes]


class Publisher:
    """Sends messages to every subscriber; one thread owns the socket, from `__enter__` to `__exit__`.

    Nobody waits for a slow subscriber: past the high-water mark it loses messages, and sees that from their `seq`.
    On leaving, everything queued is sent, and the last messages get up to two seconds to reach their subscribers.

    Args:
        endpoint: a ZeroMQ address; port `*` takes any free one.
        insecure: allow an address that is open to the network without keys.
        keys: encrypt, and admit those alone whose keys are allowed.
        on_handshake_failed: told, at most every ten seconds, that and why clients were refused; in the socket's thread.

    Raises:
        EndpointError: the address is none, or is open to the network; on entering: it is in use.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        insecure: bool = False,
        keys: ServerKeys | None = None,
        on_handshake_failed: Callable[[str], None] | None = None,
    ) -> None:
        check_bind(endpoint, insecure=insecure, encrypted=keys is not None)
        self.endpoint = endpoint
        """Once entered, the address as it is bound."""
        self.handshakes: Final = Handshakes(on_handshake_failed)
        """How many subscribers were admitted and refused, and how many are connected."""
        self.dropped = 0
        """Messages given up because the queue was full."""
        self._keys: Final = keys
        self._queue: Final = queue.Queue[Frames](QUEUE_MESSAGES)
        self._joined: Final = threading.Event()
        self._leaving: Final = threading.Event()
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="whoplays-publisher")
        self._publishing: Future[None] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            context = stack.enter_context(zmq.Context())
            stack.enter_context(zap_authenticator(context, self._keys))
            socket = stack.enter_context(self._socket(context))
            stack.enter_context(self.handshakes.watching(socket))
            _bind(socket, self.endpoint)
            self.endpoint = socket.getsockopt_string(zmq.LAST_ENDPOINT)
            # From here on all of it is the thread's.
            self._publishing = self._thread.submit(self._run, socket, stack.pop_all())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.shutdown()
        if error is None:
            self._check()

    @property
    def waiting(self) -> int:
        """How many messages wait to be sent."""
        return self._queue.qsize()

    def send(self, message: Message, *, wait: bool = False) -> None:
        """Queue a message; when the queue is full, give it up and count it, or wait for room.

        Whatever has ended the socket's thread is raised here, and on leaving.
        """
        frames = (topic_of(message.stream, kind_of(message)).encode("ascii"), encode(message))
        while not self._queued(frames, wait=wait):
            if not wait:
                self.dropped += 1
                return

    def wait_for_subscriber(self, timeout_s: float) -> bool:
        """Wait until somebody has subscribed; False if nobody did in time."""
        return self._joined.wait(timeout_s)

    def _queued(self, frames: Frames, *, wait: bool) -> bool:
        """Whether there was room, at once or after a while."""
        self._check()
        try:
            self._queue.put(frames, block=wait, timeout=POLL_S)
        except queue.Full:
            return False
        return True

    def _check(self) -> None:
        """Raise what has ended the thread."""
        if self._publishing is not None and self._publishing.done():
            self._publishing.result()

    def _socket(self, context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
        socket = context.socket(zmq.XPUB)
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MESSAGES)
        socket.setsockopt(zmq.LINGER, LINGER_MS)
        keep_alive(socket)
        speak_ipv6(socket, self.endpoint)
        if self._keys:
            self._keys.apply(socket)
        return socket

    def _run(self, socket: zmq.Socket[bytes], owned: ExitStack) -> None:
        with owned:
            while (frames := self._next(socket)) is not None:
                socket.send_multipart(frames)

    def _next(self, socket: zmq.Socket[bytes]) -> Frames | None:
        """The next message; None when all are sent and nobody will give another."""
        while True:
            # Asked first: what was queued before it was set is there to be had.
            last = self._leaving.is_set()
            self._note_subscribers(socket)
            self.handshakes.note()
            try:
                return self._queue.get(timeout=0.0 if last else POLL_S)
            except queue.Empty:
                if last:
                    return None

    def _note_subscribers(self, socket: zmq.Socket[bytes]) -> None:
        while socket.poll(0):
            if socket.recv().startswith(b"\x01"):
                self._joined.set()


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> None:
    try:
        if is_taken(endpoint):
            raise zmq.ZMQError(errno.EADDRINUSE)
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        socket.linger = 0
        if error.errno == errno.EADDRINUSE:
            raise EndpointError(f"{endpoint} is in use; publish on another address") from error
        raise EndpointError(f"cannot publish on {endpoint}: {error.strerror}") from error
