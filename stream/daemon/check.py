"""Whether a configuration makes sense, without serving it."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Final, Literal, NamedTuple

from whoplays.models.errors import OptionError, naming
from whoplays.stream.daemon.config import Config, read_config
from whoplays.stream.daemon.reload import load
from whoplays.stream.history.schema import check_to_write
from whoplays.stream.metrics.server import parse_place
from whoplays.stream.sources.registry import check_uri

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


def check(path: Path) -> None:
    """Say what a configuration does; nothing is bound, no live source opened and no file made.

    Raises:
        WhoplaysError: it makes no sense, a model does not load, keys are of no use, a file cannot be listened to, the
            history cannot be written, or two addresses are one.
    """
    config = read_config(path)
    with naming(str(path)):
        config.security.keys_for(config.publish)
        if config.history:
            with naming("history.path"):
                check_to_write(config.history.file)
        load(config.stream, {})
        refuse_clashes([*_bound(config)])
    names = ", ".join(stream.name for stream in config.stream)
    count = "1 stream" if len(config.stream) == 1 else f"{len(config.stream)} streams"
    print(f"{path}: {count} ({names}), published on {config.publish}; it makes sense")


def _bound(config: Config) -> Iterator[Bound]:
    """What is to be bound; and what can be told of each source without listening to it."""
    yield from _bound_tcp("publish", config.publish)
    if config.metrics:
        place = parse_place(config.metrics.address, insecure=config.metrics.insecure)
        yield Bound("metrics.address", "tcp", place.host, place.port)
    for stream in config.stream:
        with naming(f"stream {stream.name}", "source"):
            address = check_uri(stream.source, stream.selection)
        if address:
            yield Bound(f"stream {stream.name}: source", *address)


def _bound_tcp(key: str, endpoint: str) -> Iterator[Bound]:
    scheme, _, rest = endpoint.partition("://")
    host, _, port = rest.rpartition(":")
    if scheme == "tcp":
        yield Bound(key, "tcp", host.strip("[]"), 0 if port == "*" else int(port))
