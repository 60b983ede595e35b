"""Addresses at which senders are waited for."""

from typing import NamedTuple

from whoplays.models.errors import OptionError, SourceError
from whoplays.stream.common.paths import expanded
from whoplays.stream.common.uri import Address, host_and_port, take_apart, without_secrets
from whoplays.stream.pubsub.endpoint import LAST_PORT, is_open
from whoplays.stream.security.keys import ServerKeys, server_keys


class Place(NamedTuple):
    """An address to bind."""

    endpoint: str
    """As ZeroMQ has it."""
    shown: str
    """Without any secret."""
    keys: ServerKeys | None


def parse(uri: str) -> Place:
    """An address such as `zmq://127.0.0.1:9461` or `zmq://*:9461?keys=FILE&allowed=FOLDER`; port 0 is any free one.

    `keys` is a secret key file and `allowed` the folder of who may connect; with `insecure=1` an address that is open
    to the network needs none.

    Raises:
        SourceError: the address is none, or is open to the network; keys are of no use.
    """
    address = take_apart(uri, frozenset({"keys", "allowed", "insecure"}))
    shown = without_secrets(uri)
    place = Place(_endpoint(address, shown), shown, _keys(address.options))
    if is_open(place.endpoint) and place.keys is None and address.options.get("insecure") != "1":
        raise SourceError(
            f"{shown} is open to the network, unencrypted; "
            "listen on 127.0.0.1, add ?keys=FILE&allowed=FOLDER (whoplays keys), or ?insecure=1"
        )
    return place


def _endpoint(address: Address, shown: str) -> str:
    if not address.host or address.port is None or not 0 <= address.port <= LAST_PORT:
        raise SourceError(f"{shown} names no host and port; give an address such as zmq://127.0.0.1:9461")
    return f"tcp://{host_and_port(address.host, address.port or '*')}"


def _keys(options: dict[str, str]) -> ServerKeys | None:
    try:
        keys, allowed = (expanded(options[name]) if name in options else None for name in ("keys", "allowed"))
        return server_keys(keys, allowed)
    except OptionError as error:
        raise SourceError(str(error)) from error
