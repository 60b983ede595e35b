"""A source and its senders over real sockets."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import zmq

from tests.stream.security.make_keys import make_keyring
from tests.stream.sources.recorder import joined, wait_until
from tests.stream.sources.remote.packets import (
    ANY_PORT,
    cut,
    endpoint_of,
    make_header,
    make_message,
    make_noise,
    recording,
)
from tests.stream.sources.remote.relay import Relay
from whoplays.models.errors import SourceError
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.remote.protocol import WireFormat
from whoplays.stream.sources.remote.sender import (
    PACKET_SAMPLES,
    SEND_QUEUE_MESSAGES,
    PackedMessage,
    Packetizer,
    Sender,
)
from whoplays.stream.sources.remote.source import open_remote

QUEUE_SAMPLES: Final = SEND_QUEUE_MESSAGES * PACKET_SAMPLES


def make_messages(samples: int, name: str = "stage", seed: int = 1) -> list[PackedMessage]:
    return cut(Packetizer(name, "s16le"), make_noise(samples, 15, seed))


def send(sender: Sender, messages: list[PackedMessage], *, wait: bool = True) -> None:
    for message in messages:
        sender.send(message, wait=wait)


@contextmanager
def pushing(endpoint: str) -> Iterator[zmq.Socket[bytes]]:
    """A sender of anything."""
    context = zmq.Context()
    push = context.socket(zmq.PUSH)
    push.connect(endpoint)
    try:
        yield push
    finally:
        context.destroy(linger=0)


@pytest.mark.parametrize(("encoding", "bits"), [("s16le", 15), ("s24le", 23), ("f32le", 23)])
def test_audio_arrives_bit_by_bit(encoding: WireFormat, bits: int) -> None:
    audio = make_noise(100_003, bits)
    with recording() as recorder, Sender(endpoint_of(recorder)) as sender:
        send(sender, cut(Packetizer("stage", encoding), audio))
        recorder.wait_for_samples(audio.shape[1])
        np.testing.assert_array_equal(recorder.audio(), audio)
        source = recorder.source
        assert source.name == "stage"
        assert (source.clock, source.disconnect_cause, source.live) == ("arrival", "network", True)
        assert all(block.captured_at_ns <= time.monotonic_ns() for block in recorder.sessions[0])


def test_audio_arrives_at_an_ipv6_address(ipv6: str) -> None:
    with recording(f"zmq://{ipv6}:0") as recorder, Sender(endpoint_of(recorder)) as sender:
        assert recorder.source.endpoint.startswith(f"tcp://{ipv6}:")
        send(sender, make_messages(2205))
        recorder.wait_for_samples(2205)


def test_a_sender_that_leaves_on_purpose_is_lost() -> None:
    packetizer = Packetizer("stage", "s16le")
    with recording() as recorder:
        with Sender(endpoint_of(recorder)) as sender:
            send(sender, [*cut(packetizer, make_noise(5000, 15)), packetizer.end()])
        recorder.join()
        assert str(recorder.error) == "the sender of stage left; start whoplays send there again"
        assert recorder.samples() == 5000


def test_a_receiver_that_starts_late_gets_the_newest_seconds() -> None:
    audio = make_noise(2 * QUEUE_SAMPLES, 15)
    with recording() as gone:
        endpoint = endpoint_of(gone)
    with Sender(endpoint) as sender:
        send(sender, cut(Packetizer("stage", "s16le"), audio), wait=False)
        assert sender.dropped_samples == QUEUE_SAMPLES
        with recording(endpoint) as recorder:
            recorder.wait_for_samples(QUEUE_SAMPLES)
            np.testing.assert_array_equal(recorder.audio(), audio[:, -QUEUE_SAMPLES:])


def test_a_cut_network_costs_no_more_than_what_was_dropped() -> None:
    """Every sample that was sent arrives, or is a zero in its place."""
    audio = np.clip(np.abs(make_noise(4 * QUEUE_SAMPLES, 15)), np.float32(2**-15), np.float32(0.5))
    messages = cut(Packetizer("stage", "s16le"), audio)
    with recording() as recorder, Relay(endpoint_of(recorder)) as relay, Sender(relay.endpoint) as sender:
        send(sender, messages[:SEND_QUEUE_MESSAGES])
        recorder.wait_for_samples(QUEUE_SAMPLES)
        relay.cut()
        wait_until(lambda: recorder.source.handshakes.connections == 0)
        send(sender, messages[SEND_QUEUE_MESSAGES : 3 * SEND_QUEUE_MESSAGES], wait=False)
        relay.restore()
        send(sender, messages[3 * SEND_QUEUE_MESSAGES :])
        recorder.wait_for_samples(audio.shape[1])
        lost = recorder.lost_samples()
        assert lost >= sender.dropped_samples > 0
        zero = recorder.audio() == 0
        assert zero.sum() == 2 * lost
        np.testing.assert_array_equal(recorder.audio()[~zero], audio[~zero])
        assert len(recorder.sessions) == 1


def test_a_receiver_that_restarts_goes_on_where_the_sender_is() -> None:
    audio = make_noise(4 * PACKET_SAMPLES, 15)
    messages = cut(Packetizer("stage", "s16le"), audio)
    with recording() as before, Sender(endpoint_of(before)) as sender:
        send(sender, messages[:2])
        before.wait_for_samples(2 * PACKET_SAMPLES)
        before.source.stop()
        before.join()
        with recording(sender.endpoint) as after:
            send(sender, messages[2:])
            after.wait_for_samples(2 * PACKET_SAMPLES)
            np.testing.assert_array_equal(after.audio(), audio[:, 2 * PACKET_SAMPLES :])


def test_a_sender_that_restarts_begins_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.sources.remote.receiver.SOLE_SENDER_TIMEOUT_NS", 10_000_000)
    first, second = make_noise(5000, 15, seed=1), make_noise(7000, 15, seed=2)
    with recording() as recorder:
        with Sender(endpoint_of(recorder)) as sender:
            send(sender, cut(Packetizer("stage", "s16le"), first))
        recorder.wait_for_samples(5000)
        time.sleep(0.02)
        with Sender(endpoint_of(recorder)) as sender:
            send(sender, cut(Packetizer("stage", "f32le"), second))
            recorder.wait_for_samples(7000, session=1)
    np.testing.assert_array_equal(recorder.audio(0), first)
    np.testing.assert_array_equal(recorder.audio(1), second)


def test_a_second_sender_is_ignored_while_the_first_one_is_alive() -> None:
    audio = make_noise(40 * PACKET_SAMPLES, 15)
    messages = cut(Packetizer("stage", "s16le"), audio)
    with recording() as recorder, Sender(endpoint_of(recorder)) as sender, Sender(endpoint_of(recorder)) as second:
        send(sender, messages[:20])
        recorder.wait_for_samples(20 * PACKET_SAMPLES)
        send(second, make_messages(5 * PACKET_SAMPLES, name="second", seed=2))
        for message in messages[20:]:
            send(sender, [message])
            time.sleep(0.001)
        wait_until(lambda: recorder.source.counters.foreign == 5 and recorder.samples() == audio.shape[1])
        np.testing.assert_array_equal(recorder.audio(), audio)
        assert len(recorder.sessions) == 1


def test_a_gap_of_more_than_half_a_minute_begins_a_session() -> None:
    with recording() as recorder, pushing(endpoint_of(recorder)) as push:
        push.send_multipart(make_message(make_header()))
        push.send_multipart(make_message(make_header(44_100 * 31, seq=1)))
        push.send_multipart(make_message(make_header(44_100 * 31 + 2205, seq=2)))
        recorder.wait_for_samples(2 * 2205, session=1)
        assert recorder.samples(0) == 2205


def test_messages_that_are_rejected_or_out_of_order_are_counted_and_cost_nothing() -> None:
    rng = np.random.default_rng(1)
    with recording() as recorder, pushing(endpoint_of(recorder)) as push:
        push.send_multipart(make_message(make_header()))
        for _ in range(50):
            push.send_multipart([rng.bytes(int(rng.integers(0, 200))) for _ in range(rng.integers(1, 5))])
        push.send_multipart(make_message(make_header(seq=0)))
        push.send_multipart(make_message(make_header(100, seq=1)))
        push.send_multipart(make_message(make_header(2205, seq=2, encoding="f32le")))
        push.send_multipart(make_message(make_header(2205, seq=3)))
        recorder.wait_for_samples(2 * 2205)
        counters = recorder.source.counters
        assert (counters.rejected, counters.out_of_order, counters.foreign) == (50, 3, 0)
        assert counters.reject_reason


def test_rejected_messages_and_ignored_senders_are_a_warning_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.common.clock.RECENT_NS", 200_000_000)
    with (
        recording() as recorder,
        pushing(endpoint_of(recorder)) as push,
        pushing(endpoint_of(recorder)) as second,
    ):
        source = recorder.source
        assert source.warning == ""
        push.send_multipart([b"nonsense"])
        wait_until(lambda: source.warning == "messages are rejected: a message must have 2 frames, got 1")
        wait_until(lambda: source.warning == "")
        push.send_multipart(make_message(make_header()))
        recorder.wait_for_samples(2205)
        second.send_multipart(make_message(make_header(session="another")))
        wait_until(lambda: source.warning == "another sender is ignored")
        wait_until(lambda: source.warning == "")
        assert (source.counters.rejected, source.counters.foreign) == (1, 1)


def test_a_message_that_is_too_large_ends_the_connection_and_nothing_else() -> None:
    with recording() as recorder, pushing(endpoint_of(recorder)) as bad, Sender(endpoint_of(recorder)) as sender:
        bad.send(bytes(1 << 21))
        wait_until(lambda: recorder.source.handshakes.connections > 0)
        send(sender, make_messages(2205))
        recorder.wait_for_samples(2205)
        assert recorder.source.counters.rejected == 0


def test_the_address_stays_bound_between_sessions_until_the_source_is_stopped() -> None:
    with recording() as other:
        port = int(endpoint_of(other).rpartition(":")[2])
    source = open_remote(f"zmq://127.0.0.1:{port}", ChannelSelection())
    with pushing(source.endpoint) as push:
        push.send_multipart(make_message(make_header()))
        push.send_multipart(make_message(make_header(44_100 * 31, seq=1)))
        with pytest.raises(SourceError, match="stage begins a new session"):
            joined(list(source.blocks()))
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", port), reuse_port=False)
    source.stop()
    source.stop()
    socket.create_server(("127.0.0.1", port)).close()
    assert list(source.blocks()) == []


def test_an_address_in_use_is_refused() -> None:
    with recording() as recorder:
        second = open_remote(endpoint_of(recorder).replace("tcp", "zmq"), ChannelSelection())
        with pytest.raises(SourceError, match="is in use"):
            list(second.blocks())


def test_only_allowed_senders_are_received(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.security.handshakes.RETRY_S", 0.1)
    keyring = make_keyring(tmp_path)
    links: list[str] = []
    with recording(f"{ANY_PORT}?keys={keyring.secret('hall')}&allowed={keyring.allowed.folder}") as recorder:
        source, endpoint = recorder.source, endpoint_of(recorder)
        with Sender(endpoint, keys=keyring.client("stage"), on_link=links.append) as sender, Sender(endpoint):
            send(sender, make_messages(2205))
            wait_until(lambda: source.handshakes.failed > 1)
            wait_until(lambda: links[-1].endswith("the client's key is not allowed"))
            wait_until(lambda: source.warning.startswith("a sender is refused: "))
            assert recorder.samples() == sender.sent_samples == 0
            keyring.allow("stage")
            recorder.wait_for_samples(2205)
            wait_until(lambda: links[-1] == f"connected to {endpoint}")
        assert str(tmp_path) not in source.uri


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("zmq://*:9461", "zmq://*:9461 is open to the network, unencrypted"),
        ("zmq://0.0.0.0:9461?insecure=0", "is open to the network"),
        ("zmq://127.0.0.1", "must have a host and a port"),
        ("zmq://:9461", "must have a host and a port"),
        ("zmq://127.0.0.1:99999", "port must be between 0 and 65535, got 99999"),
        ("zmq://127.0.0.1:9461?colour=blue", "option 'colour' not found"),
        ("zmq://127.0.0.1:9461?keys=/nowhere", "the key file /nowhere cannot be read"),
        ("zmq://127.0.0.1:9461?allowed=/nowhere", "give keys, the file with the secret key, as well"),
        ("zmq://127.0.0.1:9461?keys=~nobody-such/x", "~nobody-such/x"),
    ],
)
def test_addresses_that_cannot_be_used_are_refused(uri: str, message: str) -> None:
    with pytest.raises(SourceError, match=re.escape(message)):
        open_remote(uri, ChannelSelection())


def test_an_address_is_opened_to_the_network_if_that_is_asked_for() -> None:
    assert open_remote("zmq://*:9461?insecure=1", ChannelSelection()).endpoint == "tcp://*:9461"
    assert open_remote("zmq://[::1]:9461", ChannelSelection()).endpoint == "tcp://[::1]:9461"
