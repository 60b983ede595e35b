"""Addresses that cannot both be bound."""

from collections.abc import Sequence
from itertools import combinations
from typing import Final, Literal, NamedTuple

from whoplays.models.errors import OptionError

_EVERYWHERE: Final = {"": "both", "::": "both", "*": "IPv4", "0.0.0.0": "IPv4"}  # noqa: S104  they are given, not bound
"""Hosts that stand for every address of this machine, and of which family."""


class Bound(NamedTuple):
    """An address that is to be bound."""

    key: str
    """Where the configuration says it, such as `publish` or `stream hall: source`."""
    protocol: Literal["tcp", "udp"]
    host: str
    """A numeric address, without brackets, `localhost`, or one that stands for all."""
    port: int
    """0 for any free one."""


def refuse_clashes(bound: Sequence[Bound]) -> None:
    """Refuse addresses of which only one could be bound.

    Raises:
        OptionError: there are two of them.
    """
    for one, other in combinations(bound, 2):
        if one.port and one[1::2] == other[1::2] and (_covers(one.host, other.host) or _covers(other.host, one.host)):
            raise OptionError(f"{other.key}: port {other.port} is taken by {one.key.partition(':')[0]}; give another")


def _covers(host: str, other: str) -> bool:
    family = _EVERYWHERE.get(host)
    if family is None:
        return host.replace("localhost", "127.0.0.1") == other.replace("localhost", "127.0.0.1")
    return family == "both" or ":" not in other
