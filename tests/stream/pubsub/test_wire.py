"""Publisher and subscriber over real sockets."""

import itertools
import socket
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
import zmq

from tests.stream.make_messages import make_gap, make_status
from whoplays.models.errors import EndpointError
from whoplays.stream.pubsub.messages import Gap, Message
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.pubsub.subscriber import Notice, Subscriber

ANY_PORT = "tcp://127.0.0.1:*"
JOIN_S = 20


def take(subscriber: Iterable[Message | Notice], count: int) -> list[Message | Notice]:
    return list(itertools.islice(subscriber, count))


def test_messages_arrive_as_they_were_sent() -> None:
    sent: list[Message] = [make_status(0), *map(make_gap, range(20))]
    with Publisher(ANY_PORT) as publisher, Subscriber(publisher.endpoint) as subscriber:
        assert publisher.wait_for_subscriber(JOIN_S)
        for message in sent:
            publisher.send(message)
        assert take(subscriber, len(sent)) == sent
        assert subscriber.lost == 0


def test_an_ipv6_address_is_published_on_and_heard(ipv6: str) -> None:
    with Publisher(f"tcp://{ipv6}:*") as publisher, Subscriber(publisher.endpoint) as subscriber:
        assert publisher.endpoint.startswith(f"tcp://{ipv6}:")
        assert publisher.wait_for_subscriber(JOIN_S)
        publisher.send(make_gap(0))
        assert take(subscriber, 1) == [make_gap(0)]


def test_everything_is_delivered_although_the_publisher_leaves() -> None:
    with Publisher(ANY_PORT) as publisher:
        subscriber = Subscriber(publisher.endpoint)
        assert publisher.wait_for_subscriber(JOIN_S)
        for seq in range(3000):
            publisher.send(make_gap(seq))
    with subscriber:
        assert take(subscriber, 3000) == list(map(make_gap, range(3000)))


def test_one_stream_is_not_another_that_begins_like_it() -> None:
    with Publisher(ANY_PORT) as publisher, Subscriber(publisher.endpoint, "violin") as subscriber:
        assert publisher.wait_for_subscriber(JOIN_S)
        publisher.send(make_gap(0, stream="violin2"))
        publisher.send(make_gap(0, stream="violin"))
        assert take(subscriber, 1) == [make_gap(0, stream="violin")]


def test_who_comes_late_has_lost_nothing_and_then_sees_losses() -> None:
    with Publisher(ANY_PORT) as publisher:
        for seq in range(10):
            publisher.send(make_gap(seq))
        with Subscriber(publisher.endpoint) as subscriber:
            assert publisher.wait_for_subscriber(JOIN_S)
            for message in (make_status(4, gap=9), make_gap(10), make_gap(13)):
                publisher.send(message)
            heard = list(itertools.takewhile(lambda item: item != make_gap(13), subscriber))
            notice = heard[-1]
            assert make_gap(10) in heard
            assert isinstance(notice, Notice)
            assert (notice.what, notice.stream, notice.count) == ("lost", "hall", 2)
            assert subscriber.lost == 2


def test_a_slow_subscriber_delays_nobody_and_sees_its_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.pubsub.publisher.HIGH_WATER_MESSAGES", 10)
    monkeypatch.setattr("whoplays.stream.pubsub.subscriber.HIGH_WATER_MESSAGES", 10)
    # Long names make few messages overflow the buffers of the operating system.
    sent, long = 6000, 500 * "hall"
    with Publisher(ANY_PORT) as publisher, Subscriber(publisher.endpoint, long) as slow:
        assert publisher.wait_for_subscriber(JOIN_S)
        for seq in range(sent):
            publisher.send(make_gap(seq, stream=long), wait=True)
        with Subscriber(publisher.endpoint, "other") as other:
            publisher.send(make_gap(0, stream="other"))
            while not isinstance(take(other, 1)[0], Gap):
                publisher.send(make_gap(0, stream="other"))
        received = 0
        while received + slow.lost < sent:
            publisher.send(make_status(0, stream=long, gap=sent - 1))
            received += sum(isinstance(item, Gap) for item in take(slow, 1))
        assert slow.lost > 0


def test_a_silent_publisher_is_noticed_once() -> None:
    with Publisher(ANY_PORT) as publisher, Subscriber(publisher.endpoint, silence_s=0.1) as subscriber:
        (notice,) = take(subscriber, 1)
        assert isinstance(notice, Notice)
        assert notice.what == "silent"
        assert publisher.wait_for_subscriber(JOIN_S)
        publisher.send(make_gap(0))
        assert take(subscriber, 1) == [make_gap(0)]


def test_a_stream_that_a_publisher_does_not_have_is_no_publisher_that_is_not_there() -> None:
    with Publisher(ANY_PORT) as publisher, Subscriber(publisher.endpoint, "hal", silence_s=0.5) as subscriber:
        assert publisher.wait_for_subscriber(JOIN_S)
        publisher.send(make_gap(0, stream="hall"))
        (notice,) = take(subscriber, 1)
    assert isinstance(notice, Notice)
    assert notice.text.startswith(f"nothing of stream hal came from {publisher.endpoint} for 0 s; whoplays watch")
    assert "running there" not in notice.text
    with Subscriber("tcp://127.0.0.1:1", "hal", silence_s=0.1) as subscriber:
        (notice,) = take(subscriber, 1)
    assert isinstance(notice, Notice)
    assert notice.text == "nothing came from tcp://127.0.0.1:1 for 0 s; is whoplays listen running there?"


def test_unknown_kinds_and_fields_are_ignored_and_nonsense_is_noticed() -> None:
    context = zmq.Context()
    xpub = context.socket(zmq.XPUB)
    port = xpub.bind_to_random_port("tcp://127.0.0.1")
    with Subscriber(f"tcp://127.0.0.1:{port}") as subscriber:
        assert xpub.poll(JOIN_S * 1000)
        known = msgspec.to_builtins(make_gap(0)) | {"colour": "blue"}
        xpub.send_multipart([b"whoplays/1/hall/weather/", b"{}"])
        xpub.send_multipart([b"whoplays/1/hall/gap/", b"nonsense"])
        xpub.send_multipart([b"whoplays/1/hall/gap/"])
        xpub.send_multipart([b"whoplays/1/hall/gap/", msgspec.json.encode(known).replace(b"one", b"\xff")])
        xpub.send_multipart([b"whoplays/1/hall/gap/", msgspec.json.encode(known)])
        items = take(subscriber, 4)
        assert [item.what for item in items if isinstance(item, Notice)] == 3 * ["unreadable"]
        assert items[-1] == make_gap(0)
    context.destroy(linger=0)


def test_a_port_in_use_is_refused() -> None:
    with (
        Publisher(ANY_PORT) as publisher,
        pytest.raises(EndpointError, match=r"is in use; publish on another address$"),
        Publisher(publisher.endpoint),
    ):
        pass


def test_an_ipc_address_in_use_is_left_to_who_has_it_and_one_left_behind_is_taken(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/messages"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(f"{tmp_path}/messages")
    with Publisher(endpoint) as publisher, Subscriber(endpoint) as subscriber:
        with pytest.raises(EndpointError, match="messages is in use"), Publisher(endpoint):
            pass
        assert publisher.wait_for_subscriber(JOIN_S)
        publisher.send(make_gap(0))
        assert take(subscriber, 1) == [make_gap(0)]
    assert publisher.handshakes.failed == 0


def test_an_address_that_is_none_cannot_be_heard() -> None:
    with pytest.raises(EndpointError, match="no address to hear"):
        Subscriber("nowhere")
