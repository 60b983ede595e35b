from collections.abc import Iterator

import pytest

from tests.stream.make_messages import make_gap, make_status
from whoplays.bench.receiver import Receiver
from whoplays.models.errors import EndpointError
from whoplays.stream.pubsub.messages import End
from whoplays.stream.pubsub.publisher import Publisher

JOIN_S = 30


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher("tcp://127.0.0.1:*") as publisher:
        yield publisher


def test_it_hears_from_the_first_status_to_the_end(publisher: Publisher) -> None:
    with Receiver(publisher.endpoint) as receiver:
        assert publisher.wait_for_subscriber(JOIN_S)
        status = make_status(0)
        publisher.send(status)
        assert receiver.status() == status
        end = End(
            stream=status.stream, session=status.session, seq=0, published_ns=0, reason="finished", detail="", final=0
        )
        publisher.send(end)
        assert receiver.arrivals() == []


def test_what_begins_without_a_status_is_refused(publisher: Publisher) -> None:
    with Receiver(publisher.endpoint) as receiver:
        assert publisher.wait_for_subscriber(JOIN_S)
        publisher.send(make_gap(0))
        with pytest.raises(EndpointError, match="no status came from tcp://"):
            receiver.status()


def test_its_death_is_noticed(publisher: Publisher) -> None:
    with Receiver(publisher.endpoint) as receiver:
        receiver._process.kill()
        with pytest.raises(EndpointError, match="is gone"):
            receiver.status()
