import socket
import struct

import pytest

from tests.stream.sources.rtp.relay import send
from whoplays.models.errors import SourceError
from whoplays.stream.sources.rtp.socket import UdpReceiver


def receive(inlet: UdpReceiver, timeout_s: float = 10.0) -> list[bytes]:
    return [datagram.data for datagram in inlet.receive(timeout_s, 100)]


@pytest.mark.parametrize(
    ("bound", "sent_to"), [("127.0.0.1", "127.0.0.1"), ("", "127.0.0.1"), ("", "::1"), ("::1", "::1")]
)
def test_datagrams_come_through(bound: str, sent_to: str) -> None:
    if ":" in sent_to and not socket.has_dualstack_ipv6():
        pytest.skip("there is no IPv6 here")
    inlet = UdpReceiver(bound, 0)
    send([b"one", b"two"], inlet.port, host=sent_to)
    assert receive(inlet) == [b"one", b"two"]
    inlet.close()
    inlet.close()


def test_nothing_comes_in_the_time_that_is_given() -> None:
    inlet = UdpReceiver("127.0.0.1", 0)
    assert receive(inlet, 0.01) == receive(inlet, 0) == []
    inlet.close()


def test_each_datagram_carries_its_time_and_the_rest_stays() -> None:
    inlet = UdpReceiver("127.0.0.1", 0)
    send([b"one", b"two", b"three"], inlet.port)
    first, second = inlet.receive(10, 2)
    assert first.arrived_ns <= second.arrived_ns
    assert receive(inlet) == [b"three"]
    inlet.close()


@pytest.mark.parametrize("interface", ["127.0.0.1", "lo"])
def test_a_group_is_joined_and_others_may_join_it_too(interface: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        assert both_hear("239.255.77.1", interface, sending) == ([b"all"], [b"all"])


def test_a_group_of_ipv6_is_joined_too() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sending:
        interface = ipv6_interface(sending)
        assert both_hear("ff15::77:1", interface, sending) == ([b"all"], [b"all"])


def both_hear(group: str, interface: str, sending: socket.socket) -> tuple[list[bytes], list[bytes]]:
    """What two members hear of what is sent to their group."""
    first = UdpReceiver(group, 0, interface)
    second = UdpReceiver(group, first.port, interface)
    sending.sendto(b"all", (group, first.port))
    heard = receive(first), receive(second)
    first.close()
    second.close()
    return heard


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


def test_a_port_that_is_taken_is_said() -> None:
    inlet = UdpReceiver("127.0.0.1", 0)
    with pytest.raises(SourceError, match=rf"cannot listen on 127.0.0.1:{inlet.port}: .* another program has it"):
        UdpReceiver("127.0.0.1", inlet.port)
    inlet.close()


@pytest.mark.parametrize(
    ("host", "interface", "why"),
    [
        ("192.0.2.77", "", "no interface here has this address"),
        ("no.such.host.invalid", "", "cannot listen on no.such.host.invalid"),
        ("a" * 70, "", "no address"),
        ("127.0.0.1", "lo", "is for multicast groups"),
        ("239.255.77.1", "no-such-0", "no network interface no-such-0"),
        ("239.255.77.1", "192.0.2.77", "cannot listen on 239.255.77.1"),
        ("ff15::77:1", "127.0.0.1", "no network interface 127.0.0.1"),
    ],
)
def test_what_cannot_be_listened_to_is_said(host: str, interface: str, why: str) -> None:
    with pytest.raises(SourceError, match=why) as refused:
        UdpReceiver(host, 5004, interface)
    assert "\n" not in str(refused.value)
