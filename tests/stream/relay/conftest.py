from collections.abc import Iterator

import pytest

from whoplays.stream.pubsub.publisher import Publisher


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher("tcp://127.0.0.1:*") as publisher:
        yield publisher
