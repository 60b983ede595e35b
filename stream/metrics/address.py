"""Where the metrics server listens."""

import ipaddress
import re
from typing import Final, NamedTuple

from whoplays.models.errors import EndpointError
from whoplays.stream.common.uri import host_and_port

DEFAULT_ADDRESS: Final = "127.0.0.1:9464"


class Place(NamedTuple):
    """A numeric host and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return host_and_port(self.host, self.port)


def parse_place(address: str, *, insecure: bool) -> Place:
    """A place to listen in, which strangers cannot reach unless the user insists.

    Args:
        address: `HOST:PORT`, where HOST is `localhost`, an IPv4 address, or an IPv6 address in brackets.
        insecure: allow an address that is open to the network.

    Raises:
        EndpointError: the address is none, or is open to the network.

    >>> parse_place("[::1]:9464", insecure=False)
    Place(host='::1', port=9464)
    """
    found = re.fullmatch(r"(?P<host>localhost|[\d.]+|\[[\da-fA-F:.]+\]):(?P<port>\d{1,5})", address)
    try:
        if found is None or int(found["port"]) > 65_535:
            raise ValueError(address)
        host = ipaddress.ip_address("127.0.0.1" if found["host"] == "localhost" else found["host"].strip("[]"))
    except ValueError as error:
        raise EndpointError(
            f"{address!r} is no address to serve metrics on; give one such as {DEFAULT_ADDRESS}"
        ) from error
    if not (host.is_loopback or insecure):
        raise EndpointError(
            f"{address} is open to the network, and anyone could read the metrics; "
            "serve them on 127.0.0.1, or allow it with insecure"
        )
    return Place(str(host), int(found["port"]))
