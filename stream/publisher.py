"""Publishing messages over ZeroMQ."""

import errno
import queue
import threading
from types import TracebackType
from typing import Final, Self

import zmq

from models.errors import EndpointError
from stream.endpoint import check_bind
from stream.messages import Message, encode, kind_of, topic_of

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
        insecure: allow an address that is open to the network.

    Raises:
        EndpointError: the address is none, or is open to the network; on entering: it is in use.
    """

    def __init__(self, endpoint: str, *, insecure: bool = False) -> None:
        check_bind(endpoint, insecure=insecure)
        self.endpoint = endpoint
        """Once entered, the address as it is bound."""
        self.dropped = 0
        """Messages given up because the queue was full."""
        self._queue: Final = queue.Queue[Frames | None](QUEUE_MESSAGES)
        self._joined: Final = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        context = zmq.Context()
        socket = _bind(context, self.endpoint)
        self.endpoint = socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._thread = threading.Thread(target=self._run, args=(context, socket), name="whoplays-publisher")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def send(self, message: Message, *, wait: bool = False) -> None:
        """Queue a message; when the queue is full, give it up and count it, or wait for room."""
        topic = topic_of(message.stream, kind_of(message)).encode("ascii")
        try:
            self._queue.put((topic, encode(message)), block=wait)
        except queue.Full:
            self.dropped += 1

    def wait_for_subscriber(self, timeout_s: float) -> bool:
        """Wait until somebody has subscribed; False if nobody did in time."""
        return self._joined.wait(timeout_s)

    def _run(self, context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes]) -> None:
        with context, socket:
            while (frames := self._next(socket)) is not None:
                socket.send_multipart(frames)

    def _next(self, socket: zmq.Socket[bytes]) -> Frames | None:
        while True:
            self._note_subscribers(socket)
            try:
                return self._queue.get(timeout=POLL_S)
            except queue.Empty:
                continue

    def _note_subscribers(self, socket: zmq.Socket[bytes]) -> None:
        while socket.poll(0):
            if socket.recv().startswith(b"\x01"):
                self._joined.set()


def _bind(context: zmq.Context[zmq.Socket[bytes]], endpoint: str) -> zmq.Socket[bytes]:
    socket = context.socket(zmq.XPUB)
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MESSAGES)
    socket.setsockopt(zmq.LINGER, LINGER_MS)
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        context.destroy(linger=0)
        if error.errno == errno.EADDRINUSE:
            raise EndpointError(
                f"{endpoint} is in use; publish on another with --publish, or use --no-publish"
            ) from error
        raise EndpointError(f"cannot publish on {endpoint}: {error.strerror}") from error
    return socket
