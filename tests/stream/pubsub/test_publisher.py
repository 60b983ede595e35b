"""Publishers over real sockets."""

import socket
from pathlib import Path

import pytest

from tests.stream.make_messages import make_gap, make_status, take
from whoplays.models.errors import EndpointError
from whoplays.stream.pubsub.messages import Gap, Message
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.pubsub.subscriber import Subscriber

ANY_PORT = "tcp://127.0.0.1:*"
JOIN_S = 20


def test_messages_arrive_as_they_were_sent(publisher: Publisher) -> None:
    sent: list[Message] = [make_status(0), *map(make_gap, range(20))]
    with Subscriber(publisher.endpoint) as subscriber:
        assert publisher.wait_for_subscriber(JOIN_S)
        for message in sent:
            publisher.send(message)
        assert take(subscriber, len(sent)) == sent
        assert subscriber.lost == 0


def test_ipv6_address_is_bound_and_connected_to(ipv6: str) -> None:
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


def test_slow_subscriber_delays_nobody_and_sees_its_losses(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_port_in_use_is_refused(publisher: Publisher) -> None:
    with (
        pytest.raises(EndpointError, match=rf"^{publisher.endpoint} is in use; publish on another address$"),
        Publisher(publisher.endpoint),
    ):
        pass


def test_ipc_address_in_use_is_refused_and_one_left_behind_is_bound(tmp_path: Path) -> None:
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
