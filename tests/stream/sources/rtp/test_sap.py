"""Announced streams: what announcements say, and a source that follows its own."""

import json
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager

import numpy as np
import pytest

from tests.stream.sources.rtp.packets import make_packet
from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.audio.resample import WHOLE, ChannelSelection
from whoplays.stream.sources.base import SessionOverError
from whoplays.stream.sources.registry import check_uri, open_uri
from whoplays.stream.sources.rtp.announced import AnnouncedSource
from whoplays.stream.sources.rtp.sap import (
    GROUPS,
    MOST_ANNOUNCED,
    PORT,
    AnnouncementTable,
    parse_sap,
)


def sdp(name: str, port: int, *, version: int = 1, session: int = 1, channels: int = 2) -> bytes:
    lines = (
        "v=0",
        f"o=- {session} {version} IN IP4 127.0.0.1",
        f"s={name}",
        "c=IN IP4 127.0.0.1",
        "t=0 0",
        f"m=audio {port} RTP/AVP 97",
        f"a=rtpmap:97 L16/44100/{channels}",
        "",
    )
    return "\r\n".join(lines).encode()


def sap(text: bytes, *, flags: int = 0x20, number: int = 1, kind: bytes = b"application/sdp\0") -> bytes:
    origin = socket.inet_pton(socket.AF_INET6, "::1") if flags & 0x10 else socket.inet_aton("192.0.2.7")
    return struct.pack("!BBH", flags, 0, number) + origin + kind + text


def test_announcements_are_read_as_rfc_2974_has_them() -> None:
    text = sdp("hall", 5004)
    plain = parse_sap(sap(text))
    assert (plain.origin, plain.number, plain.deletes, plain.text) == ("192.0.2.7", 1, False, text.decode())
    assert parse_sap(sap(text, flags=0x30)).origin == "::1"
    assert parse_sap(sap(text, kind=b"")).text == text.decode()
    assert parse_sap(sap(text, flags=0x24)).deletes
    assert parse_sap(sap(zlib.compress(b"application/sdp\0" + text), flags=0x21, kind=b"")).text == text.decode()
    authenticated = sap(text)[:1] + b"\x02" + sap(text)[2:8] + bytes(8) + sap(text)[8:]
    assert parse_sap(authenticated).text == text.decode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x20\0\0",
        sap(b"v=0", flags=0x00),
        sap(b"v=0", flags=0x22),
        sap(b"junk", flags=0x21),
        sap(zlib.compress(bytes(10 << 20)), flags=0x21, kind=b""),
        sap(b"v=0\r\n" + 9000 * b"x"),
        sap(b"hello", kind=b"text/plain\0"),
    ],
)
def test_what_is_no_announcement_is_passed_over(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"SAP|session description"):
        parse_sap(data)
    table = AnnouncementTable()
    table.take(data)
    assert table.all() == ()


def test_a_table_is_bounded_and_follows_changes_and_deletions(monkeypatch: pytest.MonkeyPatch) -> None:
    table = AnnouncementTable()
    table.take(sap(sdp("hall", 5004)))
    table.take(sap(sdp("hall", 5006, version=2), number=2))
    (hall,) = table.all()
    assert hall.description.port == 5006
    for number in range(2 * MOST_ANNOUNCED):
        table.take(sap(sdp(f"stray {number}", 5004, session=number + 10)))
    assert len(table.all()) == MOST_ANNOUNCED
    assert table.find("hall") is None
    table.take(sap(sdp("stage", 5004)))
    table.take(sap(sdp("stage", 5004), flags=0x24))
    assert table.find("stage") is None
    now_s = time.monotonic()
    monkeypatch.setattr("whoplays.stream.sources.rtp.sap.time.monotonic", lambda: now_s + 3601)
    assert table.all() == ()


class Sender:
    """Announces a stream of a constant, and sends it."""

    def __init__(self, name: str) -> None:
        self.name, self.version, self.value = name, 1, 1000
        self.port = free_port()

    def move(self, value: int) -> None:
        """Send something else to another port from now on."""
        self.port, self.version, self.value = free_port(), self.version + 1, value

    def run(self, stopped: threading.Event) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            count = 0
            while not stopped.wait(0.01):
                if count % 20 == 0:
                    text = sdp(self.name, self.port, version=self.version)
                    out.sendto(sap(text, number=self.version), (GROUPS[0], PORT))
                payload = np.full(882, self.value, ">i2").tobytes()
                packet = make_packet(count, 441 * count, payload, ssrc=self.version, payload_type=97)
                out.sendto(packet, ("127.0.0.1", self.port))
                count += 1


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def announcing(name: str) -> Iterator[Sender]:
    sender, stopped = Sender(name), threading.Event()
    thread = threading.Thread(target=sender.run, args=(stopped,))
    thread.start()
    try:
        yield sender
    finally:
        stopped.set()
        thread.join()


def loudest(blocks: Iterator[Block]) -> float:
    return round(float(next(block for block in blocks if block.audio.any()).audio.max()) * 2**15)


def test_a_stream_is_found_by_its_name_and_followed() -> None:
    source = open_uri("rtp://?sap=Stage%20box%20%F0%9F%8E%BB", selection=WHOLE)
    assert isinstance(source, AnnouncedSource)
    assert "'Stage box 🎻' is not announced; announced are: " in source.warning
    with announcing("Stage box 🎻") as sender:
        with closing(source.blocks()) as blocks:  # type: ignore[type-var]
            assert loudest(blocks) == 1000
            sender.move(2000)
            with pytest.raises(SessionOverError, match="its announcement changed"):
                list(blocks)
        with closing(source.blocks()) as blocks:  # type: ignore[type-var]
            assert loudest(blocks) == 2000
            source.stop()
            list(blocks)


def test_it_is_listed_beside_the_devices() -> None:
    with announcing("Stage box") as _:
        command = [sys.executable, "-m", "whoplays", "devices", "--json", "--announced", "2"]
        lines = subprocess.run(command, capture_output=True, check=False, timeout=60).stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    (row,) = (row for row in rows if row["name"] == "Stage box")
    assert row["uri"] == "rtp://?sap=Stage%20box"
    assert (row["channels"], row["rate_hz"]) == (2, 44_100)


@pytest.mark.parametrize(
    ("uri", "mistake"),
    [
        ("rtp://?sap=x&rate=44100", "option 'rate' not found; it has: interface, jitter_ms, sap"),
        ("rtp://:5004?sap=x", "host and port must be left out where sap= names the stream"),
        ("rtp://?sap=x&jitter_ms=9999999", "jitter_ms must be between 0 and"),
    ],
)
def test_a_mistaken_address_is_refused(uri: str, mistake: str) -> None:
    with pytest.raises(SourceError) as told:
        check_uri(uri, ChannelSelection())
    assert mistake in str(told.value)


def test_a_name_is_that_of_the_first_machine_until_it_announces_it_no_more() -> None:
    """Two may announce one stream, for redundancy; a stranger may announce another one by its name."""
    table = AnnouncementTable()
    one, other = (sap(sdp("hall", 5004, session=session)) for session in (1, 2))
    stranger = sap(sdp("hall", 6006, session=3)).replace(
        socket.inet_aton("192.0.2.7"), socket.inet_aton("192.0.2.9"), 1
    )
    table.take(one)
    followed = table.find("hall")
    assert followed
    for packet in (other, stranger, one, stranger, other):
        table.take(packet)
        assert table.find("hall", followed) == followed
        assert table.find("hall") == followed
    table.take(sap(sdp("hall", 5008, session=1)))
    assert table.find("hall", followed) == followed, "the other one announces it still"
    table.take(sap(sdp("hall", 5008, session=2)))
    found = table.find("hall", followed)
    assert found
    assert found.description.port == 5008
    for session in (1, 2):
        table.take(sap(sdp("hall", 5008, session=session), flags=0x24))
    left = table.find("hall", followed)
    assert left
    assert left.description.port == 6006


def test_a_machine_that_is_named_by_a_stranger_is_not_looked_up() -> None:
    table = AnnouncementTable()
    table.take(sap(sdp("hall", 5004).replace(b"c=IN IP4 127.0.0.1", b"c=IN IP4 tracker.example")))
    assert not table.all()
