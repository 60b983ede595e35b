import socket
import struct
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.stream.sources.rtp.packets import send
from whoplays.models.errors import SourceError
from whoplays.stream.sources.rtp.socket import UdpReceiver


@pytest.fixture
def receiver() -> Iterator[UdpReceiver]:
    with closing(UdpReceiver("127.0.0.1", 0)) as receiver:
        yield receiver


def receive(receiver: UdpReceiver, timeout_s: float = 10.0) -> list[bytes]:
    return [datagram.data for datagram in receiver.receive(timeout_s, 100)]


@pytest.mark.parametrize(
    ("bound", "sent_to"), [("127.0.0.1", "127.0.0.1"), ("", "127.0.0.1"), ("", "::1"), ("::1", "::1")]
)
def test_datagrams_are_received(bound: str, sent_to: str) -> None:
    if ":" in sent_to and not socket.has_dualstack_ipv6():
        pytest.skip("there is no IPv6 here")
    receiver = UdpReceiver(bound, 0)
    send([b"one", b"two"], receiver.port, host=sent_to)
    assert receive(receiver) == [b"one", b"two"]
    receiver.close()
    receiver.close()


def test_after_the_timeout_there_is_nothing(receiver: UdpReceiver) -> None:
    assert receive(receiver, 0.01) == receive(receiver, 0) == []


def test_each_datagram_has_its_time_and_the_rest_stays(receiver: UdpReceiver) -> None:
    send([b"one", b"two", b"three"], receiver.port)
    first, second = receiver.receive(10, 2)
    assert first.arrived_ns <= second.arrived_ns
    assert receive(receiver) == [b"three"]


@pytest.mark.parametrize("interface", ["127.0.0.1", "lo"])
def test_a_multicast_group_can_be_joined_twice(interface: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        assert received_by_two("239.255.77.1", interface, sending) == ([b"all"], [b"all"])


def test_so_can_one_of_ipv6() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sending:
        interface = ipv6_interface(sending)
        assert received_by_two("ff15::77:1", interface, sending) == ([b"all"], [b"all"])


def received_by_two(group: str, interface: str, sending: socket.socket) -> tuple[list[bytes], list[bytes]]:
    """What two members receive of what is sent to their group."""
    with (
        closing(UdpReceiver(group, 0, interface)) as first,
        closing(UdpReceiver(group, first.port, interface)) as second,
    ):
        sending.sendto(b"all", (group, first.port))
        return receive(first), receive(second)


def ipv6_interface(sending: socket.socket) -> str:
    """An interface that groups of IPv6 can be sent to; it is set."""
    for index, name in socket.if_nameindex():
        try:
            sending.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, struct.pack("@I", index))
            sending.sendto(b"", ("ff15::77:2", 9))
        except OSError:
            continue
        return name
    pytest.skip("no interface here has multicast over IPv6")


def test_a_port_in_use_is_refused(receiver: UdpReceiver) -> None:
    with pytest.raises(SourceError, match=rf"cannot listen on 127.0.0.1:{receiver.port}: .* another program has it"):
        UdpReceiver("127.0.0.1", receiver.port)


@pytest.mark.parametrize(
    ("host", "interface", "why"),
    [
        ("192.0.2.77", "", "no interface here has this address"),
        ("no.such.host.invalid", "", "cannot listen on no.such.host.invalid"),
        ("a" * 70, "", "the address is not valid"),
        ("127.0.0.1", "lo", "is for multicast groups"),
        ("239.255.77.1", "no-such-0", "network interface no-such-0 not found on this machine; it has: .*lo"),
        ("239.255.77.1", "192.0.2.77", "cannot listen on 239.255.77.1"),
        ("ff15::77:1", "127.0.0.1", "network interface 127.0.0.1 not found"),
    ],
)
def test_an_address_that_cannot_be_bound_is_refused(host: str, interface: str, why: str) -> None:
    with pytest.raises(SourceError, match=why) as refused:
        UdpReceiver(host, 5004, interface)
    assert "\n" not in str(refused.value)
