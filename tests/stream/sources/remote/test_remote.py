"""Sender and source over real sockets."""

import re
import socket
import threading
import time
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import zmq

from tests.stream.security.make_keys import make_keyring
from tests.stream.sources.remote.listening import ANY_PORT, listening, wait_until
from tests.stream.sources.remote.make_packets import joined, lost_samples, make_header, make_message, make_noise
from tests.stream.sources.remote.relay import Relay
from whoplays.models.errors import EndpointError, SourceError
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.remote.protocol import WireFormat
from whoplays.stream.sources.remote.sender import CAPACITY, PACKET_SAMPLES, Outgoing, Packer, Sender
from whoplays.stream.sources.remote.source import open_remote


def cut(packer: Packer, audio: Audio) -> list[Outgoing]:
    """The messages of audio, its last one filled up or not."""
    return [*packer.pack(Block(audio, time.monotonic_ns())), *packer.flush()]


def send(sender: Sender, outgoing: list[Outgoing], *, wait: bool = True) -> None:
    for each in outgoing:
        sender.send(each, wait=wait)


@pytest.mark.parametrize(("encoding", "bits"), [("s16le", 15), ("s24le", 23), ("f32le", 23)])
def test_audio_arrives_bit_by_bit(encoding: WireFormat, bits: int) -> None:
    audio = make_noise(100_003, bits)
    with listening() as heard, Sender(heard.bound()) as sender:
        send(sender, cut(Packer("stage", encoding), audio))
        wait_until(lambda: heard.heard() == audio.shape[1])
        np.testing.assert_array_equal(heard.audio(), audio)
        assert heard.source.name == "stage"
        assert (heard.source.clock, heard.source.disconnect_cause, heard.source.live) == ("arrival", "network", True)
        assert all(block.captured_at_ns <= time.monotonic_ns() for block in heard.sessions[0])


def test_audio_arrives_at_an_ipv6_address(ipv6: str) -> None:
    with listening(f"zmq://{ipv6}:0") as heard, Sender(heard.bound()) as sender:
        assert heard.bound().startswith(f"tcp://{ipv6}:")
        send(sender, cut(Packer("stage", "s16le"), make_noise(2205, 15)))
        wait_until(lambda: heard.heard() == 2205)


def test_an_end_on_purpose_is_said() -> None:
    packer = Packer("stage", "s16le")
    with listening() as heard:
        with Sender(heard.bound()) as sender:
            send(sender, [*cut(packer, make_noise(5000, 15)), packer.end()])
        heard.thread.join(20)
        assert str(heard.error) == "the sender of stage left; start whoplays send there again"
        assert heard.heard() == 5000


def test_who_comes_late_hears_the_newest_seconds() -> None:
    audio = make_noise(3 * CAPACITY * PACKET_SAMPLES, 15)
    with listening() as gone:
        endpoint = gone.bound()
    with Sender(endpoint) as sender:
        send(sender, cut(Packer("stage", "s16le"), audio), wait=False)
        assert sender.dropped_samples == 2 * CAPACITY * PACKET_SAMPLES
        with listening(endpoint.replace("tcp", "zmq")) as heard:
            wait_until(lambda: heard.heard() == CAPACITY * PACKET_SAMPLES)
            np.testing.assert_array_equal(heard.audio(), audio[:, -CAPACITY * PACKET_SAMPLES :])


def test_a_cut_network_costs_no_more_than_what_was_given_up() -> None:
    """A loss is zeros of its true length: every sample that was sent is heard, or stands as a zero in its place."""
    audio = np.abs(make_noise(4 * CAPACITY * PACKET_SAMPLES, 15)) + np.float32(2**-15)
    audio = np.minimum(audio, np.float32(0.5))
    packets = cut(Packer("stage", "s16le"), audio)
    with listening() as heard, Relay(heard.bound()) as relay, Sender(relay.endpoint) as sender:
        send(sender, packets[:CAPACITY])
        wait_until(lambda: heard.heard() == CAPACITY * PACKET_SAMPLES)
        relay.cut()
        wait_until(lambda: heard.source.handshakes.connections == 0)
        send(sender, packets[CAPACITY : 3 * CAPACITY], wait=False)
        relay.mend()
        send(sender, packets[3 * CAPACITY :])
        wait_until(lambda: heard.heard() == audio.shape[1])
        lost = lost_samples(heard.sessions[0])
        assert lost >= sender.dropped_samples > 0
        zero = heard.audio() == 0
        assert zero.sum() == 2 * lost
        np.testing.assert_array_equal(heard.audio()[~zero], audio[~zero])
        assert len(heard.sessions) == 1


def test_a_receiver_that_restarts_goes_on_where_the_sender_is() -> None:
    audio = make_noise(4 * PACKET_SAMPLES, 15)
    packets = cut(Packer("stage", "s16le"), audio)
    with listening() as before:
        endpoint = before.bound()
        sender = Sender(endpoint)
        with sender:
            send(sender, packets[:2])
            wait_until(lambda: before.heard() == 2 * PACKET_SAMPLES)
            before.source.stop()
            before.thread.join()
            with listening(endpoint.replace("tcp", "zmq")) as after:
                send(sender, packets[2:])
                wait_until(lambda: after.heard() == 2 * PACKET_SAMPLES)
                np.testing.assert_array_equal(after.audio(), audio[:, 2 * PACKET_SAMPLES :])


def test_a_new_session_of_a_sender_is_one_here() -> None:
    first, second = make_noise(5000, 15, seed=1), make_noise(7000, 15, seed=2)
    with listening() as heard:
        with Sender(heard.bound()) as sender:
            send(sender, cut(Packer("stage", "s16le"), first))
        wait_until(lambda: heard.heard(0) == 5000)
        time.sleep(0.6)
        with Sender(heard.bound()) as sender:
            send(sender, cut(Packer("stage", "f32le"), second))
            wait_until(lambda: len(heard.sessions) == 2 and heard.heard() == 7000)
    np.testing.assert_array_equal(heard.audio(0), first)
    np.testing.assert_array_equal(heard.audio(1), second)


def test_a_second_sender_is_not_heard_while_the_first_one_is_alive() -> None:
    audio = make_noise(100 * PACKET_SAMPLES, 15)
    packets = cut(Packer("stage", "s16le"), audio)
    strange = cut(Packer("stranger", "s16le"), make_noise(5 * PACKET_SAMPLES, 15, seed=2))
    with listening() as heard, Sender(heard.bound()) as sender, Sender(heard.bound()) as stranger:
        send(sender, packets[:20])
        wait_until(lambda: heard.heard() == 20 * PACKET_SAMPLES)
        send(stranger, strange)
        for packet in packets[20:]:
            send(sender, [packet])
            time.sleep(0.005)
        wait_until(lambda: heard.source.counts.strangers == 5 and heard.heard() == audio.shape[1])
        np.testing.assert_array_equal(heard.audio(), audio)
        assert len(heard.sessions) == 1


def test_a_hole_beyond_belief_begins_a_new_session() -> None:
    with listening() as heard, pushing(heard.bound()) as push:
        push.send_multipart(make_message(make_header()))
        push.send_multipart(make_message(make_header(44_100 * 31, seq=1)))
        push.send_multipart(make_message(make_header(44_100 * 31 + 2205, seq=2)))
        wait_until(lambda: len(heard.sessions) == 2 and heard.heard() == 2 * 2205)
        assert heard.heard(0) == 2205


def test_nonsense_is_counted_and_what_makes_sense_is_heard() -> None:
    rng = np.random.default_rng(1)
    with listening() as heard, pushing(heard.bound()) as push:
        push.send_multipart(make_message(make_header()))
        for _ in range(50):
            push.send_multipart([rng.bytes(int(rng.integers(0, 200))) for _ in range(rng.integers(1, 5))])
        push.send_multipart(make_message(make_header(seq=0)))
        push.send_multipart(make_message(make_header(100, seq=1)))
        push.send_multipart(make_message(make_header(2205, seq=2, encoding="f32le")))
        push.send_multipart(make_message(make_header(2205, seq=3)))
        wait_until(lambda: heard.heard() == 2 * 2205)
        counts = heard.source.counts
        assert (counts.refused, counts.repeated, counts.strangers) == (50, 3, 0)
        assert counts.reason


def test_what_is_refused_or_ignored_is_told_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.common.clock.RECENT_NS", 500_000_000)
    with listening() as heard, pushing(heard.bound()) as push, pushing(heard.bound()) as stranger:
        assert heard.source.warning == ""
        push.send_multipart([b"nonsense"])
        wait_until(lambda: heard.source.warning.startswith("messages are refused: "))
        wait_until(lambda: heard.source.warning == "")
        push.send_multipart(make_message(make_header()))
        wait_until(lambda: heard.heard() == 2205)
        stranger.send_multipart(make_message(make_header(session="another")))
        wait_until(lambda: heard.source.warning == "another sender is ignored")
        wait_until(lambda: heard.source.warning == "")
        assert (heard.source.counts.refused, heard.source.counts.strangers) == (1, 1)


def test_a_message_that_is_too_large_ends_the_connection_and_nothing_else() -> None:
    with listening() as heard, pushing(heard.bound()) as bad, Sender(heard.bound()) as sender:
        bad.send(bytes(1 << 21))
        wait_until(lambda: heard.source.handshakes.connections > 0)
        send(sender, cut(Packer("stage", "s16le"), make_noise(2205, 15)))
        wait_until(lambda: heard.heard() == 2205)
        assert heard.source.counts.refused == 0


def test_stopping_frees_the_address_also_between_sessions() -> None:
    source = open_remote(ANY_PORT, ChannelSelection())
    blocks = source.blocks()
    with listening() as other:
        port = int(other.bound().rpartition(":")[2])
    bound = open_remote(f"zmq://127.0.0.1:{port}", ChannelSelection())
    blocks = bound.blocks()
    with pushing(bound.endpoint) as push:
        push.send_multipart(make_message(make_header()))
        push.send_multipart(make_message(make_header(44_100 * 31, seq=1)))
        with pytest.raises(SourceError, match="stage sends from a new beginning"):
            joined(blocks)
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", port), reuse_port=False)
    bound.stop()
    socket.create_server(("127.0.0.1", port)).close()
    source.stop()
    source.stop()
    assert list(source.blocks()) == []


def test_an_address_in_use_is_said() -> None:
    with listening() as heard:
        taken = open_remote(heard.bound().replace("tcp", "zmq"), ChannelSelection())
        with pytest.raises(SourceError, match="is in use"):
            joined(taken.blocks())


def test_only_allowed_senders_are_heard(tmp_path: Path) -> None:
    keyring = make_keyring(tmp_path)
    uri = f"{ANY_PORT}?keys={keyring.secret('hall')}&allowed={keyring.allowed.folder}"
    packets = cut(Packer("stage", "s16le"), make_noise(2205, 15))
    told: list[str] = []
    with listening(uri) as heard:
        with Sender(heard.bound(), keys=keyring.client("stage"), on_link=told.append) as sender, Sender(heard.bound()):
            send(sender, packets)
            wait_until(lambda: heard.source.handshakes.failed > 1)
            wait_until(lambda: told[-1].endswith("the client's key is not allowed"))
            wait_until(lambda: heard.source.warning.startswith("a sender is refused: "))
            assert heard.heard() == sender.sent_samples == 0
            keyring.allow("stage")
            wait_until(lambda: heard.heard() == 2205)
            wait_until(lambda: told[-1] == f"connected to {heard.bound()}")
        assert str(tmp_path) not in heard.source.uri


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("zmq://*:9461", "zmq://*:9461 is open to the network, unencrypted"),
        ("zmq://0.0.0.0:9461?insecure=0", "is open to the network"),
        ("zmq://127.0.0.1", "names no host and port"),
        ("zmq://:9461", "names no host and port"),
        ("zmq://127.0.0.1:99999", "is malformed"),
        ("zmq://127.0.0.1:9461?colour=blue", "option 'colour' not found"),
        ("zmq://127.0.0.1:9461?keys=/nowhere", "the key file /nowhere cannot be read"),
        ("zmq://127.0.0.1:9461?allowed=/nowhere", "give keys, the file with the secret key, as well"),
        ("zmq://127.0.0.1:9461?keys=~nobody-such/x", "home folder of ~nobody-such/x not found"),
    ],
)
def test_addresses_of_no_use_are_refused(uri: str, message: str) -> None:
    with pytest.raises(SourceError, match=re.escape(message)):
        open_remote(uri, ChannelSelection())


def test_insistence_opens_an_address_to_the_network() -> None:
    assert open_remote("zmq://*:9461?insecure=1", ChannelSelection()).endpoint == "tcp://*:9461"
    assert open_remote("zmq://[::1]:9461", ChannelSelection()).endpoint == "tcp://[::1]:9461"


@pytest.mark.parametrize("endpoint", ["nowhere", "tcp://127.0.0.1:*", "tcp://127.0.0.1"])
def test_nobody_connects_to_what_is_no_address(endpoint: str) -> None:
    with pytest.raises(EndpointError, match="address to connect to must be"):
        Sender(endpoint)


class pushing:  # noqa: N801  it reads as a verb where it is used
    """A sender of anything."""

    def __init__(self, endpoint: str) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUSH)
        self._socket.connect(endpoint)

    def __enter__(self) -> zmq.Socket[bytes]:
        return self._socket

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)


def test_who_waits_for_room_hears_that_the_sender_has_failed() -> None:
    def fail(text: str) -> NoReturn:
        raise ZeroDivisionError(text)

    def send_on() -> NoReturn:
        packets = cut(Packer("stage", "s16le"), make_noise(CAPACITY * PACKET_SAMPLES, 15))
        with Sender("tcp://127.0.0.1:1", on_link=fail) as sender:
            while True:
                send(sender, packets)

    with pytest.raises(ZeroDivisionError, match="waiting for"):
        send_on()


def test_a_sender_that_has_failed_says_so_when_it_is_left() -> None:
    told = threading.Event()

    def fail(text: str) -> NoReturn:
        told.set()
        raise ZeroDivisionError(text)

    with (
        pytest.raises(ZeroDivisionError, match="waiting for"),
        Sender("tcp://127.0.0.1:1", on_link=fail),
    ):
        assert told.wait(20)
