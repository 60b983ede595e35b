"""Subscribing to a publisher's messages over ZeroMQ."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Collection
from contextlib import ExitStack, suppress
from math import ceil, inf
from typing import Final, Self

import msgspec
import zmq

from whoplays.models.errors import OptionError
from whoplays.stream.pubsub.endpoint import DEFAULT_ENDPOINT, check_connect, connect, enable_keepalive
from whoplays.stream.pubsub.messages import (
    KINDS,
    VERSION,
    End,
    Kind,
    Message,
    Notice,
    Playing,
    Status,
    decode,
    topic_of,
)
from whoplays.stream.pubsub.players import Players
from whoplays.stream.security.handshakes import Handshakes, Reconnector
from whoplays.stream.security.keys import ClientKeys

HIGH_WATER_MESSAGES: Final = 10_000
SILENCE_S: Final = 3.0
CHECK_S: Final = 1.0
"""How often the connection is looked at while nothing comes."""
_ALWAYS: Final = {"status", "end"}
"""Kinds that say whether the publisher is there, and what was lost."""


class Losses:
    """Follows the `seq` of one stream's messages, kind by kind.

    Of the session that is met first, what came before the first message is not lost. Each later session counts from
    its beginning. The `last_seq` of a `status` says what was lost of the other kinds.
    """

    def __init__(self, kinds: Collection[str] = tuple(KINDS)) -> None:
        self._kinds: Final = kinds
        self._session: str | None = None
        self._first_session = True
        self._seen: dict[str, int] = {}

    def missing(self, message: Message) -> int:
        """How many messages were lost between the ones seen before and this one."""
        if message.session != self._session:
            self._first_session = self._session is None
            self._session = message.session
            self._seen = {}
        missing = self._step(message.kind, message.seq, message.seq - 1)
        if isinstance(message, Status):
            last = {kind: message.last_seq.get(kind, -1) for kind in KINDS if kind != "status"}
            missing += sum(self._step(kind, seq, seq) for kind, seq in last.items())
        return missing

    def _step(self, kind: str, seq: int, before: int) -> int:
        if kind not in self._kinds:
            return 0
        seen = self._seen.get(kind, before if self._first_session else -1)
        # What comes twice, or after one that followed it, is not lost.
        self._seen[kind] = max(seq, seen)
        return max(0, before - seen)


class Subscription:
    """A connection to a publisher; `Subscriber` and `AsyncSubscriber` iterate over what comes by it.

    Args:
        endpoint: the publisher's ZeroMQ address; it need not be there yet.
        stream: the one stream to subscribe to; all of them unless given.
        streams: more streams.
        kinds: the kinds of messages to return; all of them unless given. `status` and `end` are received in any case,
            as losses and silence show in them.
        silence_s: after so long without any message, a publisher with an unfinished stream is noticed to be silent.
        keys: one's own, and the key of the publisher, if it is one that encrypts.

    Raises:
        EndpointError: the address is malformed.
        OptionError: a kind is unknown.
    """

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        stream: str | None = None,
        *,
        streams: Collection[str] = (),
        kinds: Collection[Kind] = (),
        silence_s: float = SILENCE_S,
        keys: ClientKeys | None = None,
    ) -> None:
        check_connect(endpoint)
        self.endpoint = endpoint
        self.lost = 0
        """Messages of these kinds lost so far."""
        self._streams: Final = _streams(stream, streams)
        self._kinds: Final = _kinds(kinds)
        self._silence_s: Final = silence_s
        self._losses: Final = defaultdict[str, Losses](lambda: Losses(self._kinds))
        self._players: Final = defaultdict[str, Players](Players)
        self._unfinished: Final[set[str]] = set()
        self._items: Final = deque[Message | Notice]()
        self._silent = False
        self._deadline_s = time.monotonic() + silence_s
        self._handshakes: Final = Handshakes()
        with ExitStack() as stack:
            self._socket: Final = self._connect(stack, keys)
            self._owned: Final = stack.pop_all()
        self._reconnector: Final = Reconnector(self._socket, endpoint, self._handshakes)

    def fileno(self) -> int:
        """What `select` and event loops wait on: readable when something may have come.

        Then poll without waiting until nothing is left: ZeroMQ signals each change once. Poll once a second as well,
        to notice silence and to reconnect.
        """
        return int(self._socket.getsockopt(zmq.FD))

    def playing(self, stream: str) -> tuple[Playing, ...] | None:
        """Who plays in a stream, by all that was returned so far and what came since.

        Returns:
            None while it is not known: until the first status of a session or the next one after a loss, while the
            source is stalled or lost, while nothing comes from the publisher, and after the end.
        """
        return self._players[stream].playing

    def close(self) -> None:
        """Disconnect."""
        self._owned.close()

    def _connect(self, stack: ExitStack, keys: ClientKeys | None) -> zmq.Socket[bytes]:
        socket = stack.enter_context(stack.enter_context(zmq.Context()).socket(zmq.SUB))
        socket.setsockopt(zmq.LINGER, 0)
        stack.enter_context(self._handshakes.watching(socket))
        socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MESSAGES)
        for topic in self._topics():
            socket.setsockopt_string(zmq.SUBSCRIBE, topic)
        enable_keepalive(socket)
        if keys:
            keys.apply(socket)
        connect(socket, self.endpoint)
        return socket

    def _topics(self) -> list[str]:
        """What all topics begin with that are subscribed to. Of all streams, no kind can be left out."""
        if not self._streams:
            return [f"whoplays/{VERSION}/"]
        if self._kinds >= KINDS.keys():
            return [topic_of(stream) for stream in self._streams]
        return [topic_of(stream, kind) for stream in self._streams for kind in KINDS if kind in self._kinds | _ALWAYS]

    def _poll(self, timeout_s: float) -> Message | Notice | None:
        """The next message or notice; None if there is none within the time."""
        until_s = time.monotonic() + timeout_s
        while not self._items:
            now_s = time.monotonic()
            wait_s = min(CHECK_S, self._silence_in_s(), max(0.0, until_s - now_s))
            arrived = self._socket.poll(ceil(1000 * wait_s))
            self._reconnector.update()
            if arrived:
                self._receive()
            elif not self._silence_in_s():
                self._items.append(self._silence())
            elif now_s >= until_s:
                return None
        return self._items.popleft()

    def _silence_in_s(self) -> float:
        """When silence is noticed, if nothing comes; never if it is expected, or was noticed already."""
        return inf if self._silent else max(0.0, self._deadline_s - time.monotonic())

    def _silence(self) -> Notice:
        self._silent = True
        for players in self._players.values():
            players.forget()
        what, why = "nothing", self._handshakes.reason or "is whoplays listen running there?"
        names = ", ".join(self._streams)
        if names and self._handshakes.up:
            # The publisher is there, and sends nothing but what is asked for.
            what, why = f"nothing of stream {names}", "whoplays watch without --stream shows which are there"
        text = f"{what} came from {self.endpoint} for {self._silence_s:.0f} s; {why}"
        return Notice(what="silent", text=text, stream=names)

    def _receive(self) -> None:
        topic, *rest = self._socket.recv_multipart()
        self._deadline_s = time.monotonic() + self._silence_s
        self._silent = False
        kind = topic.decode("ascii", "replace").rstrip("/").rpartition("/")[2]
        if kind not in self._kinds | _ALWAYS:
            return
        try:
            message = decode(b"".join(rest))
        except msgspec.DecodeError as error:
            self._items.append(Notice(what="unreadable", text=f"a {kind} could not be read: {error}", count=1))
            return
        self._follow(message)
        self._check_losses(message)
        self._players[message.stream].update(message)
        if kind in self._kinds:
            self._items.append(message)

    def _follow(self, message: Message) -> None:
        if isinstance(message, End):
            self._unfinished.discard(message.stream)
            self._silent = not self._unfinished
        else:
            self._unfinished.add(message.stream)

    def _check_losses(self, message: Message) -> None:
        missing = self._losses[message.stream].missing(message)
        if missing:
            self.lost += missing
            self._players[message.stream].forget()
            text = f"lost {missing} messages of {message.stream}"
            self._items.append(Notice(what="lost", text=text, stream=message.stream, count=missing))


class Subscriber(Subscription):
    """Iterates over what a publisher sends, and over notices of losses and silence; never ends by itself.

    Args, errors: see `Subscription`.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Message | Notice:
        while (item := self._poll(inf)) is None:
            pass
        return item

    def poll(self, timeout_s: float = 0.0) -> Message | Notice | None:
        """The next message or notice; None if there is none within the time."""
        return self._poll(timeout_s)


class AsyncSubscriber(Subscription):
    """The same for asyncio: `async with` and `async for`.

    Args, errors: see `Subscription`.
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message | Notice:
        while (item := await self.poll(CHECK_S)) is None:
            pass
        return item

    async def poll(self, timeout_s: float = 0.0) -> Message | Notice | None:
        """The next message or notice; None if there is none within the time."""
        until_s = time.monotonic() + timeout_s
        # Other tasks run even while messages come faster than they are taken.
        await asyncio.sleep(0)
        while (item := self._poll(0.0)) is None and (left_s := until_s - time.monotonic()) > 0:
            await self._readable(min(CHECK_S, self._silence_in_s(), left_s))
        return item

    async def _readable(self, timeout_s: float) -> None:
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self, readable.set)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(readable.wait(), timeout_s)
        finally:
            loop.remove_reader(self)


def _streams(stream: str | None, streams: Collection[str]) -> tuple[str, ...]:
    more = (streams,) if isinstance(streams, str) else streams
    return tuple(dict.fromkeys(([stream] if stream else []) + list(more)))


def _kinds(kinds: Collection[str]) -> frozenset[str]:
    chosen = frozenset((kinds,) if isinstance(kinds, str) else kinds) or frozenset(KINDS)
    if unknown := sorted(chosen - KINDS.keys()):
        raise OptionError(f"kind {unknown[0]!r} not found in the protocol; it has: {', '.join(KINDS)}")
    return chosen
