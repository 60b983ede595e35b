"""The connecting socket from which a source is sent."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

import zmq

from whoplays.models.errors import EndpointError
from whoplays.stream.pubsub.endpoint import check_connect, speak_ipv6
from whoplays.stream.security.handshakes import Handshakes
from whoplays.stream.security.keys import ClientKeys
from whoplays.stream.security.persistence import Persistence
from whoplays.stream.sources.remote.outbox import Outbox
from whoplays.stream.sources.remote.packer import Outgoing
from whoplays.stream.sources.remote.receiver import be_heard_of

POLL_S: Final = 0.05
LINGER_S: Final = 2.0
"""What is left at the end gets so long to be sent, and then again to arrive."""
HIGH_WATER_MESSAGES: Final = 2
SEND_BUFFER_BYTES: Final = 1 << 16


class Sender:
    """Sends messages to one receiver, whether it is there or not; one thread owns the socket while it is entered.

    Five seconds of audio wait here for a receiver that is away; of more, the oldest are given up and counted. Little
    waits further down, in ZeroMQ and in the operating system: that would be lost with the connection, uncounted.

    Args:
        endpoint: the receiver's ZeroMQ address; it need not be there yet.
        keys: one's own, and the receiver's, if it is one that encrypts.
        on_link: told in one line when the connection comes up, goes away, or is refused; in the socket's thread.

    Raises:
        EndpointError: the address is none.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        keys: ClientKeys | None = None,
        on_link: Callable[[str], None] = lambda _: None,
    ) -> None:
        check_connect(endpoint)
        self.endpoint: Final = endpoint
        self.sent_samples = 0
        self._keys: Final = keys
        self._on_link: Final = on_link
        self._link = ""
        self._handshakes: Final = Handshakes()
        self._outbox: Final = Outbox()
        self._leave_s = float("inf")
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="whoplays-sender")
        self._sending: Future[None] | None = None

    @property
    def dropped_samples(self) -> int:
        """Audio that was given up because the receiver was away or too slow."""
        return self._outbox.dropped_samples

    def send(self, outgoing: Outgoing, *, wait: bool) -> None:
        """Queue a message; when the queue is full, give up the oldest, or wait for room.

        Whatever has ended the socket's thread is raised here, and on leaving.
        """
        self._outbox.put(outgoing, wait=wait)
        self._check()

    def stop(self) -> None:
        """Let nobody wait for room any more; may be called from any thread or signal handler."""
        self._outbox.hurry()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            context = stack.enter_context(zmq.Context())
            socket = stack.enter_context(context.socket(zmq.PUSH))
            stack.enter_context(self._handshakes.watching(socket))
            self._connect(socket)
            self._sending = self._thread.submit(self._run, socket, stack.pop_all())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave_s = time.monotonic() + LINGER_S
        self._outbox.close()
        self._thread.shutdown()
        if error is None:
            self._check()

    def _check(self) -> None:
        """Raise what has ended the thread."""
        if self._sending is not None and self._sending.done():
            self._sending.result()

    def _connect(self, socket: zmq.Socket[bytes]) -> None:
        be_heard_of(socket)
        speak_ipv6(socket, self.endpoint)
        socket.setsockopt(zmq.LINGER, round(LINGER_S * 1000))
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MESSAGES)
        socket.setsockopt(zmq.SNDBUF, SEND_BUFFER_BYTES)
        # Nothing is queued for a receiver that is not there.
        socket.setsockopt(zmq.IMMEDIATE, 1)
        if self._keys:
            self._keys.apply(socket)
        try:
            socket.connect(self.endpoint)
        except zmq.ZMQError as error:
            raise EndpointError(f"cannot connect to {self.endpoint}: {error.strerror}") from error

    def _run(self, socket: zmq.Socket[bytes], owned: ExitStack) -> None:
        try:
            with owned:
                self._send_all(socket)
        finally:
            # Whoever waits for room would do so for ever.
            self._outbox.hurry()

    def _send_all(self, socket: zmq.Socket[bytes]) -> None:
        persistence = Persistence(socket, self.endpoint, self._handshakes)
        while not self._outbox.finished and time.monotonic() < self._leave_s:
            persistence.note()
            self._tell()
            if socket.poll(round(POLL_S * 1000), zmq.POLLOUT):
                self._send_next(socket)

    def _send_next(self, socket: zmq.Socket[bytes]) -> None:
        outgoing = self._outbox.take(POLL_S)
        if outgoing:
            socket.send_multipart(outgoing.frames)
            self.sent_samples += outgoing.samples

    def _tell(self) -> None:
        refused = f"refused by {self.endpoint}: {self._handshakes.reason}"
        link = f"connected to {self.endpoint}" if self._handshakes.up else f"waiting for {self.endpoint}"
        link = refused if self._handshakes.reason else link
        if link != self._link:
            self._link = link
            self._on_link(link)
