import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream.sources.remote.packets import make_header, make_message, make_noise, make_packet
from whoplays.stream.sources.remote.protocol import (
    MAX_HEADER_BYTES,
    PacketError,
    PacketHeader,
    WireFormat,
    sort_sessions,
    unpack,
)


@pytest.mark.parametrize(("encoding", "bits"), [("s16le", 15), ("s24le", 23), ("f32le", 23)])
def test_audio_is_unpacked_bit_by_bit(encoding: WireFormat, bits: int) -> None:
    audio = make_noise(2205, bits).T
    header = make_header(encoding=encoding)
    packet = unpack(make_message(header, audio))
    assert packet.header == header
    np.testing.assert_array_equal(packet.audio, audio)


def test_unknown_fields_are_ignored() -> None:
    header, pcm = make_message(make_header())
    known = msgspec.json.decode(header) | {"colour": "blue"}
    assert unpack([msgspec.json.encode(known), pcm]).header == make_header()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2),
        ("kind", "begin"),
        ("session", ""),
        ("session", 101 * "x"),
        ("session", "a\x1b[31m"),
        ("name", "a\nb"),
        ("name", None),
        ("seq", -1),
        ("seq", 1.5),
        ("first", -1),
        ("first", 2**63),
        ("frames", 2204),
        ("frames", 2**40),
        ("rate_hz", 0),
        ("rate_hz", 10**9),
        ("channels", 0),
        ("channels", 65),
        ("channels", 1),
        ("format", "s32le"),
        ("format", "s24le"),
        ("capture_ns", 2**64),
        ("lost", "boredom"),
        ("lost", "device_lost"),
    ],
)
def test_headers_out_of_range_are_refused(field: str, value: object) -> None:
    header, pcm = make_message(make_header())
    changed = msgspec.json.decode(header) | {field: value}
    with pytest.raises(PacketError):
        unpack([msgspec.json.encode(changed), pcm])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, 1001.0])
def test_samples_that_are_not_audio_are_refused(value: float) -> None:
    audio = np.zeros((2205, 2), np.float32)
    audio[2204, 1] = value
    with pytest.raises(PacketError, match="must be finite and at most 1000 times full scale"):
        unpack(make_message(make_header(encoding="f32le"), audio))


def test_other_numbers_of_frames_are_refused() -> None:
    header, pcm = make_message(make_header())
    for frames in ([], [header], [header, pcm, b""]):
        with pytest.raises(PacketError, match=f"must have 2 frames, got {len(frames)}"):
            unpack(frames)


def test_a_deep_or_long_header_is_refused() -> None:
    for data in (2000 * b"[", (MAX_HEADER_BYTES + 1) * b" ", b'{"name": ' + 1000 * b"[" + 1000 * b"]" + b"}"):
        with pytest.raises(PacketError):
            unpack([data, b""])


def test_lost_audio_travels_without_pcm() -> None:
    packet = unpack(make_message(make_header(lost="device_lost")))
    assert packet.header.lost == "device_lost"
    assert packet.audio.size == 0


def test_messages_are_sorted_within_their_sessions() -> None:
    arrived = [("b", 7), ("a", 3), ("b", 2), ("a", 0), ("b", 5)]
    packets = [make_packet(make_header(seq=seq, session=session)) for session, seq in arrived]
    ordered = [(packet.header.session, packet.header.seq) for packet in sort_sessions(packets)]
    assert ordered == [("b", 2), ("b", 5), ("b", 7), ("a", 0), ("a", 3)]


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        name: st.integers(-(2**65), 2**65) | st.text(max_size=5) | st.none() | st.floats() | st.just(value)
        for name, value in msgspec.to_builtins(make_header()).items()
    },
)


@settings(max_examples=100)
@given(header=HEADERS, pcm=st.binary(max_size=64))
def test_any_header_is_unpacked_or_refused(header: dict[str, object], pcm: bytes) -> None:
    whole = msgspec.to_builtins(make_header()) | header
    assert_refused_or_valid([msgspec.json.encode(whole), pcm])


@settings(max_examples=100)
@given(frames=st.lists(st.binary(max_size=200), max_size=4))
def test_any_bytes_are_unpacked_or_refused(frames: list[bytes]) -> None:
    assert_refused_or_valid(frames)


@settings(max_examples=100)
@given(at=st.integers(0, 10_000), value=st.integers(0, 255), encoding=st.sampled_from(["s16le", "s24le", "f32le"]))
def test_a_damaged_byte_is_refused_or_harmless(at: int, value: int, encoding: WireFormat) -> None:
    header, pcm = make_message(make_header(encoding=encoding))
    data = bytearray(header + pcm)
    data[at % len(data)] = value
    assert_refused_or_valid([bytes(data[: len(header)]), bytes(data[len(header) :])])


def assert_refused_or_valid(frames: list[bytes]) -> None:
    """Assert that a message is refused, or holds what its header says."""
    try:
        header, audio = unpack(frames)
    except PacketError:
        return
    assert isinstance(header, PacketHeader)
    assert len(audio) in (0, header.frames)
    assert np.isfinite(audio).all()
    assert (header.name + header.session).isprintable()


def test_the_documented_header_is_valid() -> None:
    page = (Path(__file__).parents[4] / "docs" / "remote-audio.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    packet = unpack([example.encode(), bytes(2205 * 4)])
    assert msgspec.to_builtins(packet.header) == msgspec.json.decode(example)
