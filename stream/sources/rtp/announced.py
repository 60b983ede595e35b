"""An announced stream as a source: found by its name, and followed when its announcement changes."""

import threading
from collections.abc import Iterator
from typing import Final, NamedTuple

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.common.clock import ClockKind, GapCause
from whoplays.stream.common.uri import parse_uri
from whoplays.stream.sources.base import BoundAddress, SessionOverError
from whoplays.stream.sources.rtp.address import RtpAddress, depth_ns, is_multicast, parse_rtp_address
from whoplays.stream.sources.rtp.sap import Announcement, announcements
from whoplays.stream.sources.rtp.source import RtpSource, open_rtp

CHECK_S: Final = 0.5
OPTIONS: Final = frozenset({"sap", "interface", "jitter_ms"})
MOST_NAMED: Final = 10


class AnnouncedAddress(NamedTuple):
    """Which announced stream is received, and how."""

    name: str
    interface: str
    depth_ns: int


def parse_announced(uri: str) -> AnnouncedAddress:
    """An address such as `rtp://?sap=Stage%20box`.

    Raises:
        SourceError: an option is unknown or out of range, or the address has a host or a port.
    """
    mistakes: list[str] = []
    address = parse_uri(uri, OPTIONS, mistakes)
    if address.host or address.port is not None:
        mistakes.append("host and port must be left out where sap= names the stream, as in rtp://?sap=NAME")
    depth = depth_ns(address, mistakes)
    if mistakes:
        raise SourceError("; ".join(mistakes))
    return AnnouncedAddress(address.options["sap"], address.options.get("interface", ""), depth)


class AnnouncedSource:
    """What the sender of an announced stream sends; waits until it is announced.

    Raises:
        SourceError: announcements cannot be listened for.
    """

    def __init__(self, address: AnnouncedAddress, uri: str, selection: ChannelSelection) -> None:
        self.name = f"RTP {address.name}"
        self.uri = uri
        self.disconnect_cause: GapCause = "network"
        self.live = True
        self._address: Final = address
        self._selection: Final = selection
        self._table: Final = announcements()
        self._stopped: Final = threading.Event()
        self._source: RtpSource | None = None

    @property
    def clock(self) -> ClockKind:
        """What its times are made of, now."""
        source = self._source
        return source.clock if source else "arrival"

    @property
    def warning(self) -> str:
        """That the stream is not announced, and which are; or what is wrong with what comes."""
        if self._source:
            return self._source.warning
        names = [each.name for each in self._table.all()]
        return f"{self._address.name!r} is not announced; announced are: {', '.join(names[:MOST_NAMED]) or 'none'}"

    def blocks(self) -> Iterator[Block]:
        """The audio of the stream as it is announced; see `Source`.

        Raises:
            SourceError: it cannot be received as it is announced.
            SessionOverError: its announcement changed, or the sender was restarted.
        """
        announced = self._wait()
        if announced is None:
            return
        source = self._source = self._open(announced)
        changed = threading.Event()
        watch = threading.Thread(target=self._watch, args=(announced, source, changed), name="whoplays-announced")
        watch.start()
        try:
            yield from source.blocks()
        finally:
            self._source = None
            source.stop()
            watch.join()
        if changed.is_set():
            raise SessionOverError(f"{self.name}: its announcement changed")

    def stop(self) -> None:
        """Make `blocks` end soon, and free the port; see `Source`."""
        self._stopped.set()
        if source := self._source:
            source.stop()

    def _wait(self) -> Announcement | None:
        while (found := self._table.find(self._address.name)) is None:
            if self._stopped.wait(CHECK_S):
                return None
        return None if self._stopped.is_set() else found

    def _open(self, announced: Announcement) -> RtpSource:
        host, port, formats = announced.description
        address = RtpAddress(host, port, self._address.interface, formats, self._address.depth_ns)
        return RtpSource(address, self.uri, self._selection)

    def _watch(self, announced: Announcement, source: RtpSource, changed: threading.Event) -> None:
        """Stop a source whose announcement is another one now, and let it be opened anew."""
        while not source.stopped.wait(CHECK_S):
            now = self._table.find(self._address.name, announced)
            if now and now != announced:
                changed.set()
                source.stop()


def open_address(uri: str, selection: ChannelSelection) -> RtpSource | AnnouncedSource:
    """Receive at `rtp://[bind]:port`, from now on, or what is announced, as `rtp://?sap=NAME` says.

    Raises:
        SourceError: the address or one of its options is out of range, or it cannot be bound.
    """
    return AnnouncedSource(parse_announced(uri), uri, selection) if _is_announced(uri) else open_rtp(uri, selection)


def check_address(uri: str, selection: ChannelSelection) -> BoundAddress | None:
    """The address that is bound; None if it is a group's, which many may bind, or not known yet.

    Raises:
        SourceError: the address or one of its options is out of range, or a chosen channel is in none of its formats.
    """
    if _is_announced(uri):
        parse_announced(uri)
        return None
    address = parse_rtp_address(uri)
    selection.taken(max(form.channels for form in address.formats.values()))
    return None if is_multicast(address.host) else BoundAddress("udp", address.host, address.port)


def _is_announced(uri: str) -> bool:
    return any(option.startswith("sap=") for option in uri.partition("?")[2].split("&"))
