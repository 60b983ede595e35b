"""Streams that senders announce: SAP (RFC 2974), as AES67, Dante and RAVENNA devices do it."""

import ipaddress
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import cache
from typing import Final, NamedTuple

from whoplays.models.errors import SourceError
from whoplays.stream.sources.rtp.sdp import SessionDescription, parse_sdp

PORT: Final = 9875
GROUPS: Final = ("239.255.255.255", "224.2.127.254")
"""Of a site, which Dante uses, and of all of the internet (RFC 2974, section 3)."""
MOST_ANNOUNCED: Final = 256
MAX_TEXT_BYTES: Final = 8192
EXPIRES_S: Final = 3600.0
"""An announcement that is not repeated is forgotten then (RFC 2974, section 4)."""
POLL_S: Final = 0.5
_SDP: Final = b"application/sdp"
_VERSION: Final = 1


class SapPacket(NamedTuple):
    """What a packet says."""

    origin: str
    """The address of the announcing machine."""
    number: int
    """Tells its announcements, and their versions, apart."""
    deletes: bool
    """Whether the stream is over."""
    text: str
    """The session description; of a deletion it may be its first lines alone."""


class Announcement(NamedTuple):
    """A stream that is announced."""

    name: str
    origin: str
    description: SessionDescription


def parse_sap(data: bytes) -> SapPacket:
    """Read a packet.

    Raises:
        ValueError: it is none, of another version, encrypted, or too long.
    """
    if len(data) < 8 or data[0] >> 5 != _VERSION:
        raise ValueError("no SAP packet of version 1")
    is_ipv6, deletes, encrypted, compressed = (bool(data[0] & flag) for flag in (0x10, 0x04, 0x02, 0x01))
    if encrypted:
        raise ValueError("an encrypted SAP packet")
    at = 4 + (16 if is_ipv6 else 4)
    origin, rest = ipaddress.ip_address(data[4:at]), data[at + 4 * data[1] :]
    if compressed:
        rest = _inflate(rest)
    if rest.startswith(_SDP + b"\0"):
        rest = rest[len(_SDP) + 1 :]
    elif not rest.startswith(b"v="):
        raise ValueError("a SAP packet of no session description")
    if len(rest) > MAX_TEXT_BYTES:
        raise ValueError(f"a session description of more than {MAX_TEXT_BYTES} bytes")
    (number,) = struct.unpack("!H", data[2:4])
    return SapPacket(str(origin), number, deletes, rest.decode("utf-8", "replace"))


def _inflate(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, MAX_TEXT_BYTES + 1)
    except zlib.error as error:
        raise ValueError("a SAP packet that cannot be decompressed") from error


def session_name(text: str) -> str:
    """The name of a session description, `s=`."""
    named = (line[2:].strip() for line in text.splitlines() if line.startswith("s="))
    return next(named, "")


class AnnouncementTable:
    """The streams that are announced now: bounded, the one that was not heard of for longest goes first."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._known: Final[dict[tuple[str, str], tuple[float, int, Announcement]]] = {}

    def take(self, data: bytes) -> None:
        """Take in a packet; what is none, or describes no audio that can be received, is passed over."""
        with suppress(ValueError, SourceError):
            packet = parse_sap(data)
            key = packet.origin, _session_id(packet.text)
            with self._lock:
                if packet.deletes:
                    self._known.pop(key, None)
                    return
                description = parse_sdp(packet.text)
                # A name would be looked up as a stranger wishes.
                ipaddress.ip_address(description.host)
                announcement = Announcement(session_name(packet.text), packet.origin, description)
                # Where it stood: the first one that has a name keeps it.
                self._known[key] = time.monotonic(), packet.number, announcement
                while len(self._known) > MOST_ANNOUNCED:
                    del self._known[min(self._known, key=lambda each: self._known[each][0])]

    def all(self) -> tuple[Announcement, ...]:
        """Those that are announced, by name."""
        with self._lock:
            heard_from_s = time.monotonic() - EXPIRES_S
            for key in [key for key, (heard_s, _, _) in self._known.items() if heard_s < heard_from_s]:
                del self._known[key]
            return tuple(sorted((known for _, _, known in self._known.values()), key=lambda each: each[:2]))

    def find(self, name: str, followed: Announcement | None = None) -> Announcement | None:
        """The one of that name: if several have it, that which announced it first.

        Args:
            name: of the stream.
            followed: what is received now. As long as anybody announces just that, it is that; else what its own
                machine announces comes first.
        """
        with self._lock:
            found = [known for _, _, known in self._known.values() if known.name == name]
        if followed and any(known.description == followed.description for known in found):
            return followed
        own = (known for known in found if followed and known.origin == followed.origin)
        return next(own, found[0] if found else None)


def _session_id(text: str) -> str:
    """What stays the same when a description changes: all of `o=` but its version (RFC 8866, section 5.2)."""
    origin = next((line[2:].split() for line in text.splitlines() if line.startswith("o=")), [])
    return " ".join([*origin[:2], *origin[3:]])


@cache
def announcements() -> AnnouncementTable:
    """The table of this process, which is kept up to date from the first call on.

    Raises:
        SourceError: the port cannot be bound.
    """
    table = AnnouncementTable()
    listeners = [_listening(group) for group in GROUPS]
    for listener in listeners:
        threading.Thread(target=_follow, args=(listener, table), name="whoplays-sap", daemon=True).start()
    return table


def _follow(listener: socket.socket, table: AnnouncementTable) -> None:
    with closing(listener):
        for data in _received(listener):
            table.take(data)


def _received(listener: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield listener.recv(MAX_TEXT_BYTES + 512)
        except OSError:
            # An interface went away, perhaps; the socket goes on with the others.
            time.sleep(POLL_S)


def _listening(group: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        # Many programs of a machine may listen.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((group, PORT))
    except OSError as error:
        listener.close()
        raise SourceError(f"cannot listen for announcements on {group}:{PORT}: {error.strerror}") from error
    for index, _ in socket.if_nameindex():
        # Some interfaces know no groups.
        with suppress(OSError):
            membership = socket.inet_aton(group) + bytes(4) + struct.pack("@i", index)
            listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    return listener
