"""Where results are published, and who may hear them there."""

import ipaddress
import re
from typing import Final

from models.errors import EndpointError

DEFAULT_ENDPOINT: Final = "tcp://127.0.0.1:9460"
LAST_PORT: Final = 65_535


def check_bind(endpoint: str, *, insecure: bool = False) -> None:
    """Refuse to publish where strangers could listen, unless the user insists.

    Raises:
        EndpointError: the address is none, or is open to the network.
    """
    scheme, _, rest = endpoint.partition("://")
    if scheme == "ipc" and rest:
        return
    found = re.fullmatch(r"tcp://(?P<host>[^\s/]+):(?P<port>\*|\d{1,5})", endpoint)
    if not found or (found["port"] != "*" and int(found["port"]) > LAST_PORT):
        raise EndpointError(f"{endpoint!r} is no address to publish on; give one such as {DEFAULT_ENDPOINT}")
    if not insecure and not _is_loopback(found["host"].strip("[]")):
        raise EndpointError(f"{endpoint} is open to the network, unencrypted; publish on 127.0.0.1, or add --insecure")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
