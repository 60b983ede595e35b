"""CURVE over real sockets: which clients are admitted, which are refused, and that both are counted."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import pytest
import zmq

from tests.stream.history.make_history import wait_for
from tests.stream.make_messages import make_gap
from tests.stream.security.make_keys import Keyring
from whoplays.models.errors import EndpointError
from whoplays.stream.pubsub.messages import Notice
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.pubsub.subscriber import Subscriber
from whoplays.stream.security.handshakes import Handshakes
from whoplays.stream.security.keys import ClientKeys

ANY_PORT = "tcp://127.0.0.1:*"
PATIENCE_S = 20


def refuses(publisher: Publisher, keys: ClientKeys | None) -> None:
    """Assert that a client is refused and counted, and gets a notice."""
    failed = publisher.handshakes.failed
    with Subscriber(publisher.endpoint, silence_s=0.5, keys=keys) as subscriber:
        wait_for(lambda: publisher.handshakes.failed > failed)
        publisher.send(make_gap(0))
        notice = next(subscriber)
    assert isinstance(notice, Notice)
    assert notice.what == "silent"
    assert "key" in notice.text
    assert publisher.handshakes.succeeded == 0
    assert not publisher.wait_for_subscriber(0)


def admits(publisher: Publisher, keys: ClientKeys) -> None:
    """Assert that a client gets what is published."""
    with Subscriber(publisher.endpoint, silence_s=PATIENCE_S, keys=keys) as subscriber:
        assert publisher.wait_for_subscriber(PATIENCE_S)
        publisher.send(make_gap(7))
        assert next(subscriber) == make_gap(7)


def test_an_allowed_client_is_admitted_and_counted(keyring: Keyring) -> None:
    keyring.allow("stage")
    with Publisher(ANY_PORT, keys=keyring.server()) as publisher:
        admits(publisher, keyring.client("stage"))
        assert (publisher.handshakes.succeeded, publisher.handshakes.failed) == (1, 0)
        wait_for(lambda: publisher.handshakes.connections == 0)


def test_other_keys_and_none_are_refused(keyring: Keyring) -> None:
    keyring.allow("stage")
    with Publisher(ANY_PORT, keys=keyring.server()) as publisher:
        for keys in (keyring.client("stranger"), None, keyring.client("stage", server="stranger")):
            refuses(publisher, keys)


def test_an_encrypting_client_is_refused_without_encryption(keyring: Keyring) -> None:
    with Publisher(ANY_PORT) as publisher:
        refuses(publisher, keyring.client("stage"))


def test_a_failure_is_reported_with_its_reason(keyring: Keyring) -> None:
    reports: list[str] = []
    with (
        Publisher(ANY_PORT, keys=keyring.server(), on_handshake_failed=reports.append) as publisher,
        Subscriber(publisher.endpoint, keys=keyring.client("stranger")),
        Subscriber(publisher.endpoint, keys=keyring.client("stranger")),
    ):
        wait_for(lambda: publisher.handshakes.failed > 1)
    assert reports == ["a handshake failed: the client's key is not allowed; 1 so far"]


class Failing:
    """Fails when it is called with a refusal."""

    def __init__(self) -> None:
        self.called = threading.Event()

    def __call__(self, text: str) -> None:
        self.called.set()
        raise ZeroDivisionError(text)


def test_a_failed_publisher_ends_waiting_for_room(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.pubsub.publisher.QUEUE_MESSAGES", 1)

    def publish() -> NoReturn:
        with (
            Publisher(ANY_PORT, keys=keyring.server(), on_handshake_failed=Failing()) as publisher,
            Subscriber(publisher.endpoint, keys=keyring.client("stranger")),
        ):
            while True:
                publisher.send(make_gap(0), wait=True)

    with pytest.raises(ZeroDivisionError, match="a handshake failed"):
        publish()


def test_a_failed_publisher_raises_on_leaving(keyring: Keyring) -> None:
    failing = Failing()
    with (
        pytest.raises(ZeroDivisionError, match="a handshake failed"),
        Publisher(ANY_PORT, keys=keyring.server(), on_handshake_failed=failing) as publisher,
        Subscriber(publisher.endpoint, keys=keyring.client("stranger")),
    ):
        assert failing.called.wait(PATIENCE_S)


def test_an_added_key_admits_at_once_and_a_removed_one_does_not(keyring: Keyring) -> None:
    with Publisher(ANY_PORT, keys=keyring.server()) as publisher:
        refuses(publisher, keyring.client("stage"))
        keyring.allow("stage")
        admits(publisher, keyring.client("stage"))
        keyring.allowed.revoke("stage")
        failed, succeeded = publisher.handshakes.failed, publisher.handshakes.succeeded
        with Subscriber(publisher.endpoint, keys=keyring.client("stage")):
            wait_for(lambda: publisher.handshakes.failed > failed)
        assert publisher.handshakes.succeeded == succeeded


def test_a_refused_client_is_admitted_when_allowed_later(keyring: Keyring) -> None:
    with (
        Publisher(ANY_PORT, keys=keyring.server()) as publisher,
        Subscriber(publisher.endpoint, silence_s=0.5, keys=keyring.client("stage")) as subscriber,
    ):
        notice = next(subscriber)
        assert isinstance(notice, Notice)
        assert notice.text.endswith("the client's key is not allowed")
        keyring.allow("stage")
        with ThreadPoolExecutor() as beside:
            admitted = beside.submit(publisher.wait_for_subscriber, PATIENCE_S)
            admitted.add_done_callback(lambda _: publisher.send(make_gap(0)))
            assert next(subscriber) == make_gap(0)


def test_unread_events_do_not_hang_the_subscriber(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of a socket that are not read make ZeroMQ wait for their reader, also when the socket is closed."""
    monkeypatch.setattr("whoplays.stream.security.handshakes._WATCHED", zmq.EVENT_ALL)
    context = zmq.Context()
    socket, handshakes = context.socket(zmq.SUB), Handshakes()
    socket.setsockopt(zmq.RECONNECT_IVL, 1)
    with handshakes.watching(socket):
        # From each of them an event a millisecond: in all over the 2,000 that ZeroMQ keeps.
        for host in range(1, 31):
            socket.connect(f"tcp://127.0.0.{host}:1")
        time.sleep(0.7)
    context.destroy(linger=0)


def test_an_open_address_needs_keys(keyring: Keyring) -> None:
    with pytest.raises(EndpointError, match="open to the network, unencrypted"):
        Publisher("tcp://0.0.0.0:*")
    with Publisher("tcp://0.0.0.0:*", keys=keyring.server()) as publisher:
        assert publisher.endpoint.startswith("tcp://0.0.0.0:")
