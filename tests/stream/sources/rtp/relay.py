"""A network that loses, repeats and delays packets, always in the same way for the same seed."""

import heapq
import random
import socket
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Weather(NamedTuple):
    """What happens to packets: each is a share from 0 to 1."""

    loss: float = 0.0
    duplication: float = 0.0
    delay: float = 0.0
    """Of packets that arrive after up to `most_delay` later ones."""
    most_delay: int = 5


def through(packets: Iterable[bytes], weather: Weather, seed: int) -> Iterator[bytes]:
    """The packets as they come out of the network."""
    chance = random.Random(seed)
    under_way: list[tuple[float, int, bytes]] = []
    for at, packet in enumerate(packets):
        copies = (chance.random() >= weather.loss) * (1 + (chance.random() < weather.duplication))
        for _ in range(copies):
            delay = chance.uniform(0, weather.most_delay) if chance.random() < weather.delay else 0
            heapq.heappush(under_way, (at + delay, at, packet))
        while under_way and under_way[0][0] <= at:
            yield heapq.heappop(under_way)[2]
    while under_way:
        yield heapq.heappop(under_way)[2]


def send(packets: Iterable[bytes], port: int, *, every_s: float = 0.0, host: str = "127.0.0.1") -> None:
    """Send datagrams to a port of this machine, so many seconds apart."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sending:
        for packet in packets:
            sending.sendto(packet, (host, port))
            time.sleep(every_s)
