"""The connecting socket from which a source is sent."""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Literal, NamedTuple, Self

import numpy as np
import zmq

from whoplays.models.errors import EndpointError, SourceError
from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.pcm import encode
from whoplays.stream.common.backoff import Backoff
from whoplays.stream.common.clock import GapCause, wall_ns
from whoplays.stream.common.terminal import note
from whoplays.stream.pubsub.endpoint import check_connect, enable_ipv6
from whoplays.stream.security.handshakes import Handshakes, Reconnector
from whoplays.stream.security.keys import ClientKeys
from whoplays.stream.sources.base import Source, SourceSpec
from whoplays.stream.sources.remote.protocol import Header, WireFormat, pack
from whoplays.stream.sources.remote.receiver import be_heard_of

PACKET_SAMPLES: Final = SAMPLE_RATE_HZ // 20
"""50 ms."""
LONGEST_NAME: Final = 100


class Outgoing(NamedTuple):
    """A message to send."""

    frames: list[bytes]
    samples: int
    """How much audio it holds."""


class Packer:
    """Cuts one session's blocks into packets of 50 ms.

    Args:
        name: what people call the source.
        encoding: of the PCM.
    """

    def __init__(self, name: str, encoding: WireFormat) -> None:
        printable = "".join(character for character in name if character.isprintable())
        self._name: Final = printable[:LONGEST_NAME] or "unnamed"
        self._encoding: Final = encoding
        self._session: Final = secrets.token_hex(8)
        self._seq = 0
        self._packed_samples = 0
        self._rest: Audio = np.zeros((CHANNELS, 0), np.float32)
        self._heard_ns = 0

    def pack(self, block: Block) -> Iterator[Outgoing]:
        """The packets that a block completes; what was lost already at the source travels as lost."""
        if block.lost:
            yield from self.flush()
        self._rest = np.concatenate([self._rest, block.audio], axis=1)
        self._heard_ns = block.captured_at_ns
        while self._rest.shape[1] >= PACKET_SAMPLES:
            yield self._cut(PACKET_SAMPLES, block)
        if block.lost:
            yield from self.flush(block)

    def flush(self, block: Block | None = None) -> Iterator[Outgoing]:
        """The packet of what is left, if anything is."""
        if self._rest.shape[1]:
            yield self._cut(self._rest.shape[1], block)

    def end(self) -> Outgoing:
        """The message that says that this is the end."""
        return Outgoing(pack(self._header(0, kind="end"), b""), 0)

    def _cut(self, samples: int, block: Block | None) -> Outgoing:
        audio, self._rest = self._rest[:, :samples], self._rest[:, samples:]
        lost = block.lost if block else None
        frames = pack(self._header(samples, lost=lost), b"" if lost else encode(audio.T, self._encoding))
        self._packed_samples += samples
        return Outgoing(frames, samples)

    def _header(self, samples: int, kind: Literal["pcm", "end"] = "pcm", lost: GapCause | None = None) -> Header:
        after_ns = self._rest.shape[1] * 1_000_000_000 // SAMPLE_RATE_HZ
        self._seq += 1
        return Header(
            kind=kind,
            session=self._session,
            seq=self._seq - 1,
            first=self._packed_samples,
            frames=samples,
            rate_hz=SAMPLE_RATE_HZ,
            channels=CHANNELS,
            format=self._encoding,
            capture_ns=max(0, wall_ns(self._heard_ns - after_ns)),
            name=self._name,
            lost=lost,
        )


CAPACITY: Final = 100
"""5 s, as the packer cuts audio."""
ROOM_POLL_S: Final = 0.1


class SendQueue:
    """A bounded queue from one thread to another; when it is full, the oldest audio is given up and counted."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.dropped_samples = 0
        self._capacity: Final = capacity
        self._waiting: Final = deque[Outgoing]()
        self._changed: Final = threading.Condition()
        self._hurried = False
        self._closed = False

    def put(self, outgoing: Outgoing, *, wait: bool) -> None:
        """Add a message.

        Args:
            outgoing: the message.
            wait: wait for room instead of giving up the oldest; not once it is to hurry.
        """
        with self._changed:
            while wait and not self._hurried and len(self._waiting) >= self._capacity:
                self._changed.wait(ROOM_POLL_S)
            while len(self._waiting) >= self._capacity:
                self.dropped_samples += self._waiting.popleft().samples
            self._waiting.append(outgoing)
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Outgoing | None:
        """The oldest message; None if there was none in time."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting), timeout_s)
            if not self._waiting:
                return None
            self._changed.notify_all()
            return self._waiting.popleft()

    @property
    def finished(self) -> bool:
        """Whether it is closed and everything was taken."""
        with self._changed:
            return self._closed and not self._waiting

    def hurry(self) -> None:
        """Let nobody wait for room any more; takes no lock, so that a signal handler may call it."""
        self._hurried = True

    def close(self) -> None:
        """Say that nothing will be added."""
        self._closed = True


class Lasting:
    """Opens a source, and a live one again whenever it is lost.

    Args:
        opening: how it is opened.
    """

    def __init__(self, opening: SourceSpec) -> None:
        self._opening: Final = opening
        self._source: Source | None = None
        self._stopped: Final = threading.Event()

    @property
    def name(self) -> str:
        """What people call the source, as it was opened last."""
        return self._source.name if self._source else self._opening.name

    def stop(self) -> None:
        """Make `play` end soon; from any thread, but from no signal handler, for it takes locks."""
        self._stopped.set()
        source = self._source
        if source is not None:
            source.stop()

    def play(self, send: Callable[[Source], None]) -> None:
        """Send the source until it ends, or for as long as nobody stops it.

        Args:
            send: sends an open source until it ends; raises a SourceError when it is lost.

        Raises:
            SourceError: one that is not opened again failed.
        """
        backoff = Backoff()
        while not self._stopped.is_set():
            backoff.begin()
            try:
                self._attempt(send)
            except SourceError as error:
                if not self._opening.reconnects:
                    raise
                note(f"{error}; trying again")
                self._stopped.wait(backoff.pause_s())
            else:
                return

    def _attempt(self, send: Callable[[Source], None]) -> None:
        source = self._source = self._opening.open()
        try:
            # A stop that came while it was opened has not reached it.
            if not self._stopped.is_set():
                send(source)
        finally:
            # Its port or device is needed when it is opened again.
            source.stop()


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
        self._outbox: Final = SendQueue()
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
        enable_ipv6(socket, self.endpoint)
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
        persistence = Reconnector(socket, self.endpoint, self._handshakes)
        while not self._outbox.finished and time.monotonic() < self._leave_s:
            persistence.update()
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
