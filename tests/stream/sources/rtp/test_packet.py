import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream.sources.rtp.packets import make_packet
from whoplays.stream.sources.rtp.jitter import REJECT_REASONS
from whoplays.stream.sources.rtp.packet import RtpPacket, extend, parse_packet


def test_a_plain_packet_is_parsed() -> None:
    assert parse_packet(make_packet(7, 1000, b"abcd", ssrc=5, payload_type=11)) == RtpPacket(11, 7, 1000, 5, b"abcd")


@settings(max_examples=100)
@given(
    contributing=st.integers(0, 15),
    extension=st.none() | st.integers(0, 20),
    padding=st.integers(0, 255),
    marker=st.booleans(),
    payload=st.binary(max_size=100),
)
def test_what_surrounds_the_payload_is_skipped(
    contributing: int, extension: int | None, padding: int, marker: bool, payload: bytes
) -> None:
    first = 0x80 | contributing | (extension is not None) << 4 | (padding > 0) << 5
    data = struct.pack("!BBHII", first, marker << 7 | 96, 1, 2, 3) + bytes(4 * contributing)
    if extension is not None:
        data += struct.pack("!HH", 0xBEDE, extension) + b"\xff" * 4 * extension
    data += payload + bytes(max(0, padding - 1)) + bytes([padding] if padding else [])
    assert parse_packet(data) == RtpPacket(96, 1, 2, 3, payload)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "short"),
        (bytes([0x80]) * 11, "short"),
        (b"\x8f" + bytes(40), "short"),
        (b"\x40" + bytes(40), "version"),
        (b"GET / HTTP/1.1\r\n\r\n", "version"),
        (b"\x90" + bytes(12), "extension"),
        (b"\x90" + bytes(11) + b"\0\0\0\2" + bytes(4), "extension"),
        (b"\xa0" + bytes(20), "padding"),
        (b"\xa0" + bytes(11) + b"\x05\x05", "padding"),
    ],
)
def test_malformed_packets_are_rejected_with_their_reason(data: bytes, why: str) -> None:
    assert parse_packet(data) == why


@settings(max_examples=100)
@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda rest: b"\xbf" + rest))
def test_arbitrary_bytes_are_a_packet_or_rejected(data: bytes) -> None:
    parsed = parse_packet(data)
    assert parsed in REJECT_REASONS if isinstance(parsed, str) else len(parsed.payload) <= len(data) - 12


@given(st.sampled_from([16, 32]), st.integers(-(2**40), 2**40), st.integers(0))
def test_a_counter_is_extended_to_the_nearest_number(bits: int, reference: int, value: int) -> None:
    value %= 2**bits
    extended = extend(value, reference, bits)
    assert extended % 2**bits == value
    assert abs(extended - reference) <= 2 ** (bits - 1)
