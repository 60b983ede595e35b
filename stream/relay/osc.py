"""Open Sound Control over UDP, as lighting desks and media servers take it."""

import errno
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.common.paths import slug
from whoplays.stream.page.state import StreamView
from whoplays.stream.pubsub.messages import Alert, Gap, Message, Window
from whoplays.stream.relay.options import OscOptions
from whoplays.stream.relay.relay import Link, Target, anybody, playing_by_label

REFRESH_S: Final = 2.0
"""How often everything is sent again: UDP loses, and a desk may have been switched on meanwhile."""
CONFIRMED_S: Final = 0.5
"""Nobody is known to have refused what was sent so long ago."""
BUNDLE_BYTES: Final = 1_400
"""What one packet of Ethernet holds."""
UNKNOWN: Final = -1.0
"""The probability of a label of which it is not known whether it plays."""
MOST_WAITING: Final = 100
PATIENCE_S: Final = 0.5

Values = tuple[int | float | str, ...]
_Place = tuple[int, int, Any]
"""Family, kind and address of a socket."""


class Line(NamedTuple):
    """An OSC message."""

    address: str
    values: Values


class OscTarget(Target):
    """A receiver of OSC; what it is sent is bundled, and no more often than the rate says."""

    def __init__(self, options: OscOptions) -> None:
        self.tick_s = 1 / options.rate
        self.link = Link(f"osc {options.shown}", "bundles")
        self._options: Final = options
        self._socket: socket.socket | None = None
        self._lookup: _Lookup | None = None
        self._sent: Final[dict[str, dict[str, Values]]] = {}
        """By stream and address, what was sent last."""
        self._probabilities: Final[dict[str, Mapping[str, float]]] = {}
        self._once: Final = deque[Line](maxlen=MOST_WAITING)
        self._refresh_s = 0.0
        self._sent_s = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._disconnect()

    def take(self, message: Message) -> None:
        """Note what is told once: gaps and alerts."""
        base = f"{self._options.prefix}/{message.stream}"
        if isinstance(message, Window):
            self._probabilities[message.stream] = message.probabilities
        elif isinstance(message, Gap):
            self._tell_once(Line(f"{base}/gap", (message.cause, (message.end - message.start) / SAMPLE_RATE_HZ)))
        elif isinstance(message, Alert):
            self._tell_once(Line(f"{base}/alert/{slug(message.rule)}", (int(not message.recovered),)))

    def show(self, views: Sequence[StreamView]) -> None:
        """Send what has changed, and now and then everything."""
        self._check()
        now_s = time.monotonic()
        if now_s >= self._refresh_s:
            self._refresh_s = now_s + REFRESH_S
            self._sent.clear()
        self._forget({view.stream for view in views})
        for view in views:
            self._send(self._changed(view.stream, self._lines(view)), view.updated_ns)
        lines: dict[str, Values] = {f"{self._options.prefix}/anybody": (int(bool(anybody(views))),)} if views else {}
        self._send([*self._changed("", lines), *self._once], time.time_ns())
        self._once.clear()

    def _forget(self, known: set[str]) -> None:
        for kept in (self._sent, self._probabilities):
            for stream in kept.keys() - known - {""}:
                del kept[stream]

    def _tell_once(self, line: Line) -> None:
        if len(self._once) == MOST_WAITING:
            self.link.lose()
        self._once.append(line)

    def _lines(self, view: StreamView) -> dict[str, Values]:
        base, known = f"{self._options.prefix}/{view.stream}", self._probabilities.get(view.stream, {})
        lines: dict[str, Values] = {f"{base}/state": (view.state,)}
        for label, plays in playing_by_label(view).items():
            probability = UNKNOWN if plays is None else known.get(label, 0.0)
            lines[f"{base}/{slug(label)}"] = int(bool(plays)), probability
        return lines

    def _changed(self, stream: str, lines: dict[str, Values]) -> list[Line]:
        sent = self._sent.get(stream, {})
        self._sent[stream] = lines
        # Labels of a model that does not listen any more.
        gone: dict[str, Values] = dict.fromkeys(sent.keys() - lines.keys(), (0, UNKNOWN))
        return [Line(address, values) for address, values in (lines | gone).items() if sent.get(address) != values]

    def _send(self, lines: Sequence[Line], at_ns: int) -> None:
        # A receiver would keep for later what is of the future.
        at_s = min(at_ns, time.time_ns()) / 1e9 if self._options.time_tags else IMMEDIATELY
        for data in bundles(lines, at_s):
            try:
                self._connected().send(data)
                self._sent_s = time.monotonic()
            except OSError as error:
                self._fail(error)

    def _check(self) -> None:
        """Whether the system has learned that nobody took what was sent before."""
        if self._socket is None:
            return
        if number := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._fail(OSError(number, os.strerror(number)))
        elif self._sent_s and time.monotonic() - self._sent_s > CONFIRMED_S:
            self.link.succeeded()

    def _fail(self, error: OSError) -> None:
        refused = isinstance(error, ConnectionRefusedError)
        reason = "nobody listens there" if refused else error.strerror or error
        self.link.failed(f"cannot be reached: {reason}")
        self.link.lose()
        self._sent_s = 0.0
        if not refused:
            self._disconnect()

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._lookup = self._lookup or _Lookup(self._options.host, self._options.port)
            family, kind, address = self._lookup.found()
            self._socket = socket.socket(family, kind)
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self._socket.connect(address)
        return self._socket

    def _disconnect(self) -> None:
        if self._socket:
            self._socket.close()
        self._socket = None
        if self._lookup and self._lookup.is_done:
            self._lookup = None


class _Lookup:
    """A name that is looked up in a thread of its own: that can take many seconds, and nobody can end it."""

    def __init__(self, host: str, port: int) -> None:
        self._outcome: _Place | OSError | None = None
        thread = threading.Thread(target=self._run, args=(host, port), name="whoplays-lookup", daemon=True)
        thread.start()
        # Mostly it is known at once.
        thread.join(PATIENCE_S)

    @property
    def is_done(self) -> bool:
        """Whether it is over."""
        return self._outcome is not None

    def found(self) -> "_Place":
        """Where it is.

        Raises:
            OSError: it was not found, or not yet.
        """
        if isinstance(self._outcome, tuple):
            return self._outcome
        raise self._outcome or OSError(errno.EAGAIN, "its name is still being looked up")

    def _run(self, host: str, port: int) -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except OSError as error:
            self._outcome = error
            return
        # IPv4 first: names such as localhost have both, and receivers of OSC seldom listen on IPv6.
        family, kind, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        self._outcome = family, kind, address


def bundles(lines: Sequence[Line], at_s: float) -> Iterator[bytes]:
    """OSC bundles of messages, each of a size that one packet holds.

    Args:
        at_s: their time tag, Unix time.
    """
    packed: list[OscMessage] = []
    size = 16
    for line in lines:
        message = _message(line)
        if packed and size + 4 + message.size > BUNDLE_BYTES:
            yield _bundle(packed, at_s)
            packed, size = [], 16
        packed.append(message)
        size += 4 + message.size
    if packed:
        yield _bundle(packed, at_s)


def _message(line: Line) -> OscMessage:
    builder = OscMessageBuilder(line.address)
    for value in line.values:
        builder.add_arg(value)
    return builder.build()


def _bundle(messages: Sequence[OscMessage], at_s: float) -> bytes:
    builder = OscBundleBuilder(at_s)  # type: ignore[arg-type] # it takes floats, as its documentation says
    for message in messages:
        builder.add_content(message)
    return builder.build().dgram
