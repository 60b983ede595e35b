import pytest
import zmq

from whoplays.models.errors import EndpointError
from whoplays.stream.pubsub.endpoint import check_bind, check_connect, enable_ipv6


@pytest.mark.parametrize(
    "endpoint",
    ["tcp://127.0.0.1:9460", "tcp://127.1.2.3:*", "tcp://localhost:1", "tcp://[::1]:5", "ipc:///tmp/whoplays"],
)
def test_this_machine_is_allowed(endpoint: str) -> None:
    check_bind(endpoint)


@pytest.mark.parametrize(
    "endpoint", ["tcp://*:9460", "tcp://0.0.0.0:9460", "tcp://192.168.1.2:9460", "tcp://eth0:9460"]
)
def test_the_network_needs_insistence(endpoint: str) -> None:
    with pytest.raises(EndpointError, match="open to the network, unencrypted") as refused:
        check_bind(endpoint)
    assert "--" not in str(refused.value), "not everybody who publishes has options"
    check_bind(endpoint, insecure=True)


@pytest.mark.parametrize(
    "endpoint",
    ["", "9460", "127.0.0.1:9460", "http://127.0.0.1:9460", "tcp://127.0.0.1", "tcp://127.0.0.1:65536", "ipc://"],
)
def test_malformed_address_is_refused(endpoint: str) -> None:
    with pytest.raises(
        EndpointError, match=r"must be like tcp://127\.0\.0\.1:9460 or ipc://PATH, got '.*'$"
    ) as refused:
        check_bind(endpoint, insecure=True)
    assert str(refused.value).endswith(f"got {endpoint!r}")
    with pytest.raises(EndpointError, match="address to connect to must be like"):
        check_connect(endpoint)


@pytest.mark.parametrize(
    ("endpoint", "ipv6"),
    [("tcp://[::1]:5", 1), ("tcp://*:5", 0), ("tcp://localhost:5", 0), ("tcp://127.0.0.1:5", 0), ("ipc:///tmp/[x]", 0)],
)
def test_only_an_ipv6_address_enables_it_on_a_socket(endpoint: str, ipv6: int) -> None:
    with zmq.Context() as context, context.socket(zmq.PUB) as socket:
        enable_ipv6(socket, endpoint)
        assert socket.getsockopt(zmq.IPV6) == ipv6
