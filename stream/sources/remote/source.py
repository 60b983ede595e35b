"""A remote sender of PCM as a source."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from whoplays.models.errors import OptionError, SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.common.clock import ClockKind, GapCause, RecentIncreases
from whoplays.stream.common.paths import expanded
from whoplays.stream.common.uri import Address, host_and_port, parse_uri, redact
from whoplays.stream.pubsub.endpoint import LAST_PORT, is_open
from whoplays.stream.security.allow_list import ServerKeys, server_keys
from whoplays.stream.security.handshakes import Handshakes
from whoplays.stream.sources.base import BoundAddress, SessionOverError
from whoplays.stream.sources.remote.protocol import Packet, PacketError, in_order, unpack
from whoplays.stream.sources.remote.receiver import PacketTimeline, PullSocket, SenderLock


class Place(NamedTuple):
    """An address to bind."""

    endpoint: str
    """As ZeroMQ has it."""
    shown: str
    """Without any secret."""
    keys: ServerKeys | None


def parse(uri: str) -> Place:
    """An address such as `zmq://127.0.0.1:9461` or `zmq://*:9461?keys=FILE&allowed=FOLDER`; port 0 is any free one.

    `keys` is a secret key file and `allowed` the folder of who may connect; with `insecure=1` an address that is open
    to the network needs none.

    Raises:
        SourceError: the address is none, or is open to the network; keys are of no use.
    """
    address = parse_uri(uri, frozenset({"keys", "allowed", "insecure"}))
    shown = redact(uri)
    place = Place(_endpoint(address, shown), shown, _keys(address.options))
    if is_open(place.endpoint) and place.keys is None and address.options.get("insecure") != "1":
        raise SourceError(
            f"{shown} is open to the network, unencrypted; "
            "listen on 127.0.0.1, add ?keys=FILE&allowed=FOLDER (whoplays keys), or ?insecure=1"
        )
    return place


def _endpoint(address: Address, shown: str) -> str:
    if not address.host or address.port is None or not 0 <= address.port <= LAST_PORT:
        raise SourceError(f"{shown} names no host and port; give an address such as zmq://127.0.0.1:9461")
    return f"tcp://{host_and_port(address.host, address.port or '*')}"


def _keys(options: dict[str, str]) -> ServerKeys | None:
    try:
        keys, allowed = (expanded(options[name]) if name in options else None for name in ("keys", "allowed"))
        return server_keys(keys, allowed)
    except OptionError as error:
        raise SourceError(str(error)) from error


POLL_S: Final = 0.1


class Counts(msgspec.Struct):
    """Messages that were not heard, since the source was opened."""

    refused: int = 0
    """No message, of another version, or no audio."""
    repeated: int = 0
    """They came already, or out of order."""
    strangers: int = 0
    """Of another sender, while one was alive."""
    reason: str = ""
    """Why the newest one was refused."""


class Arrival(NamedTuple):
    """A packet, and when it came on the monotonic clock."""

    packet: Packet
    arrived_ns: int


class RemoteSource:
    """Whoever sends with `whoplays send`, one sender at a time; this end binds, so that senders come and go.

    The address is bound from the first block to the end of `blocks`; if that is a new session, then on, until `blocks`
    is called again or `stop` is.

    Args:
        endpoint: a ZeroMQ address.
        uri: how it is shown.
        selection: which channels are taken, and how loud.
        keys: encrypt, and admit those alone whose keys are allowed.
    """

    def __init__(
        self,
        endpoint: str,
        uri: str,
        selection: ChannelSelection,
        keys: ServerKeys | None = None,
    ) -> None:
        self.name = uri
        self.uri = uri
        self.clock: ClockKind = "arrival"
        self.disconnect_cause: GapCause = "network"
        self.live = True
        self.counts: Final = Counts()
        self.endpoint = endpoint
        """Once bound, the address as it is bound."""
        self.handshakes: Final = Handshakes()
        """How many senders were admitted and refused."""
        self._recent: Final = RecentIncreases()
        self._selection: Final = selection
        self._keys: Final = keys
        self._stopped: Final = threading.Event()
        self._in_use: Final = threading.Lock()
        self._inlet: PullSocket | None = None
        self._arrived: Final = deque[Arrival]()

    @property
    def warning(self) -> str:
        """That a sender or its messages are refused, and why; see `Source`."""
        risen = self._recent.names()
        if "handshakes" in risen and self.handshakes.reason:
            return f"a sender is refused: {self.handshakes.reason}"
        if "refused" in risen:
            return f"messages are refused: {self.counts.reason}"
        return "another sender is ignored" if "strangers" in risen else ""

    def blocks(self) -> Iterator[Block]:
        """What is sent, up to the end of the session; see `Source`."""
        try:
            with self._in_use:
                yield from self._kept_open()
        finally:
            if self._stopped.is_set():
                self.stop()

    def stop(self) -> None:
        """Make `blocks` end soon; see `Source`."""
        self._stopped.set()
        if self._in_use.acquire(blocking=False):
            self._close()
            self._in_use.release()

    def _kept_open(self) -> Iterator[Block]:
        """A session; the address stays bound if another one follows it."""
        over = False
        try:
            yield from self._session()
        except SessionOverError:
            over = True
            raise
        finally:
            if not over:
                self._close()

    def _session(self) -> Iterator[Block]:
        first = self._first()
        if first is None:
            return
        self.name = first.packet.header.name
        timeline = PacketTimeline(first.packet.header, self._selection)
        floor = SenderLock(first.packet.header)
        yield from timeline.place(*first)
        while (arrival := self._next()) is not None:
            if self._is_heard(floor, arrival):
                yield from timeline.place(*arrival)
                self._check_end(arrival)

    def _first(self) -> Arrival | None:
        arrival = self._next()
        while arrival and arrival.packet.header.kind == "end":
            arrival = self._next()
        return arrival

    def _is_heard(self, floor: SenderLock, arrival: Arrival) -> bool:
        verdict = floor.judge(arrival.packet.header, alone=self.handshakes.connections <= 1)
        match verdict:
            case "repeated":
                self.counts.repeated += 1
            case "stranger":
                self.counts.strangers += 1
            case "anew":
                self._arrived.appendleft(arrival)
                raise SessionOverError(f"{arrival.packet.header.name} sends from a new beginning")
        return verdict == "next"

    def _check_end(self, arrival: Arrival) -> None:
        if arrival.packet.header.kind == "end":
            raise SourceError(f"the sender of {self.name} left; start whoplays send there again")

    def _next(self) -> Arrival | None:
        """The next packet; None once stopped."""
        while not self._stopped.is_set():
            if self._arrived:
                return self._arrived.popleft()
            messages = self._bound().receive(POLL_S)
            arrived_ns = time.monotonic_ns()
            self._arrived.extend(Arrival(packet, arrived_ns) for packet in in_order(self._unpack(messages)))
            self._recent.update(
                handshakes=self.handshakes.failed, refused=self.counts.refused, strangers=self.counts.strangers
            )
        return None

    def _unpack(self, messages: Iterable[Sequence[bytes]]) -> Iterator[Packet]:
        for frames in messages:
            try:
                yield unpack(frames)
            except PacketError as error:
                self.counts.refused += 1
                self.counts.reason = str(error)

    def _bound(self) -> PullSocket:
        if self._inlet is None:
            self._inlet = PullSocket(self.endpoint, self._keys, self.handshakes)
            self.endpoint = self._inlet.endpoint
        return self._inlet

    def _close(self) -> None:
        if self._inlet is not None:
            self._inlet.close()
            self._inlet = None
            self._arrived.clear()


def open_remote(uri: str, selection: ChannelSelection) -> RemoteSource:
    """A source at an address such as `zmq://127.0.0.1:9461`; see `parse`.

    Raises:
        SourceError: the address is none, or is open to the network; keys are of no use.
    """
    place = parse(uri)
    return RemoteSource(place.endpoint, place.shown, selection, place.keys)


def check_address(uri: str, _selection: ChannelSelection) -> BoundAddress:
    """The address that is bound.

    Raises:
        SourceError: see `parse`.
    """
    host, _, port = parse(uri).endpoint.removeprefix("tcp://").rpartition(":")
    return BoundAddress("tcp", host.strip("[]"), 0 if port == "*" else int(port))
