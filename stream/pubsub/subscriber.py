"""Session a publisher's messages over ZeroMQ."""

import time
from collections import defaultdict
from contextlib import ExitStack
from math import ceil, inf
from types import TracebackType
from typing import Final, Literal, Self

import msgspec
import zmq

from whoplays.models.errors import EndpointError
from whoplays.stream.pubsub.endpoint import DEFAULT_ENDPOINT, keep_alive, speak_ipv6
from whoplays.stream.pubsub.messages import KINDS, VERSION, End, Message, Status, decode, kind_of, topic_of
from whoplays.stream.security.handshakes import Handshakes, Reconnector
from whoplays.stream.security.keys import ClientKeys


class Losses:
    """Follows the `seq` of one stream's messages, kind by kind.

    The first session that is met may be met in the middle: what came before was not lost, but early. Whoever follows a
    stream hears each later session from its beginning, so that one counts from there. A `status` also tells of losses
    of the other kinds, by its `last_seq`.
    """

    def __init__(self) -> None:
        self._session: str | None = None
        self._early = True
        self._seen: dict[str, int] = {}

    def missing(self, message: Message) -> int:
        """How many messages were lost between the ones seen before and this one."""
        if message.session != self._session:
            self._early = self._session is None
            self._session = message.session
            self._seen = {}
        missing = self._step(kind_of(message), message.seq, message.seq - 1)
        if isinstance(message, Status):
            last = {kind: message.last_seq.get(kind, -1) for kind in KINDS if kind != "status"}
            missing += sum(self._step(kind, seq, seq) for kind, seq in last.items())
        return missing

    def _step(self, kind: str, seq: int, before: int) -> int:
        missing = before - self._seen.get(kind, before if self._early else -1)
        self._seen[kind] = seq
        return missing


HIGH_WATER_MESSAGES: Final = 10_000
SILENCE_S: Final = 3.0
NOTE_S: Final = 1.0


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the subscriber noticed by itself; it never travels on the wire."""

    what: Literal["lost", "silent", "unreadable"]
    """Messages were lost; nothing came for too long; a message could not be read."""
    text: str
    """The same for people, in one line."""
    stream: str = ""
    """The stream that it is about, if it is about one."""
    count: int = 0
    """How many messages were lost or unreadable."""


class Subscriber:
    """Iterates over what a publisher says, and over what was noticed about its saying it; never ends by itself.

    Args:
        endpoint: the publisher's ZeroMQ address; it need not be there yet.
        stream: the one stream to hear; all of them unless given.
        silence_s: after so long without any message, a publisher with an unfinished stream is noticed to be silent.
        keys: one's own, and the key of the publisher, if it is one that encrypts.

    Raises:
        EndpointError: the address is none.
    """

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        stream: str | None = None,
        *,
        silence_s: float = SILENCE_S,
        keys: ClientKeys | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.lost = 0
        """Messages lost so far."""
        self._stream = stream
        self._silence_s = silence_s
        self._losses: Final = defaultdict[str, Losses](Losses)
        self._open: Final[set[str]] = set()
        self._pending: Message | None = None
        self._quiet = False
        self._deadline_s = time.monotonic() + silence_s
        self._handshakes: Final = Handshakes()
        self._owned: Final = ExitStack()
        self._socket: Final = self._connect(topic_of(stream) if stream else f"whoplays/{VERSION}/", keys)
        self._persistence: Final = Reconnector(self._socket, endpoint, self._handshakes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Message | Notice:
        if self._pending is not None:
            message, self._pending = self._pending, None
            return message
        while True:
            if not self._wait():
                return self._fell_silent()
            heard = self._receive()
            if heard is not None:
                return heard

    def close(self) -> None:
        """Stop session."""
        self._owned.close()

    def _connect(self, topic: str, keys: ClientKeys | None) -> zmq.Socket[bytes]:
        context = self._owned.enter_context(zmq.Context())
        socket = self._owned.enter_context(context.socket(zmq.SUB))
        socket.setsockopt(zmq.LINGER, 0)
        self._owned.enter_context(self._handshakes.watching(socket))
        socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MESSAGES)
        socket.setsockopt_string(zmq.SUBSCRIBE, topic)
        keep_alive(socket)
        speak_ipv6(socket, self.endpoint)
        if keys:
            keys.apply(socket)
        try:
            socket.connect(self.endpoint)
        except zmq.ZMQError as error:
            self.close()
            text = f"{self.endpoint!r} is no address to hear; give one such as {DEFAULT_ENDPOINT}"
            raise EndpointError(text) from error
        return socket

    def _wait(self) -> bool:
        """Wait for a message: for ever if silence is expected, or was noticed already."""
        self._persistence.note()
        while not self._socket.poll(ceil(1000 * min(NOTE_S, self._left_s()))):
            self._persistence.note()
            if not self._left_s():
                return False
        return True

    def _left_s(self) -> float:
        return inf if self._quiet else max(0.0, self._deadline_s - time.monotonic())

    def _fell_silent(self) -> Notice:
        self._quiet = True
        what, why = "nothing", self._handshakes.reason or "is whoplays listen running there?"
        if self._stream and self._handshakes.up:
            # The publisher is there, and sends nothing but what is asked for.
            what, why = f"nothing of stream {self._stream}", "whoplays watch without --stream shows which are there"
        text = f"{what} came from {self.endpoint} for {self._silence_s:.0f} s; {why}"
        return Notice(what="silent", text=text, stream=self._stream or "")

    def _receive(self) -> Message | Notice | None:
        topic, *rest = self._socket.recv_multipart()
        self._deadline_s = time.monotonic() + self._silence_s
        self._quiet = False
        kind = topic.decode("ascii", "replace").rstrip("/").rpartition("/")[2]
        if kind not in KINDS:
            return None
        try:
            message = decode(b"".join(rest))
        except msgspec.DecodeError as error:
            return Notice(what="unreadable", text=f"a {kind} could not be read: {error}", count=1)
        self._follow(message)
        return self._check_losses(message)

    def _follow(self, message: Message) -> None:
        if isinstance(message, End):
            self._open.discard(message.stream)
            self._quiet = not self._open
        else:
            self._open.add(message.stream)

    def _check_losses(self, message: Message) -> Message | Notice:
        missing = self._losses[message.stream].missing(message)
        if not missing:
            return message
        self.lost += missing
        self._pending = message
        text = f"lost {missing} messages of {message.stream}"
        return Notice(what="lost", text=text, stream=message.stream, count=missing)
