"""Whether a configuration can be served, without serving it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Final

from whoplays.models.errors import EndpointError, OptionError, SourceError
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.common.terminal import note
from whoplays.stream.daemon.config import Config, read_config
from whoplays.stream.daemon.config_errors import ConfigErrors
from whoplays.stream.daemon.reload import check_alerts, load
from whoplays.stream.history.schema import check_to_write
from whoplays.stream.metrics.server import parse_address
from whoplays.stream.pubsub.endpoint import check_ipc
from whoplays.stream.sources.base import BoundAddress
from whoplays.stream.sources.registry import check_uri, look_up

_EVERYWHERE: Final = {"": "both", "::": "both", "*": "IPv4", "0.0.0.0": "IPv4"}  # noqa: S104  they are given, not bound
"""Hosts that stand for every address of this machine, and of which family."""


def check(path: Path) -> None:
    """Print what a configuration serves; nothing is bound, no live source opened and no file made.

    Raises:
        OptionError: it has mistakes, a model does not load, keys cannot be used, a file cannot be read as audio, the
            history cannot be written, or two addresses are one; a line for each.
    """
    errors = ConfigErrors(path)
    config = read_config(path, errors)
    with errors.collect():
        config.security.keys_for(config.publish)
    with errors.collect("publish"):
        check_ipc(config.publish)
    if config.history:
        with errors.collect("history.path"):
            check_to_write(config.history.file)
    check_alerts(config, load(config.stream, errors, {}), errors)
    for key, other, port in port_conflicts(_bound(config, errors)):
        with errors.collect(other):
            raise OptionError(f"port {port} is taken by {key.partition(':')[0]}; give another")
    errors.check()
    names = ", ".join(stream.name for stream in config.stream)
    count = "1 stream" if len(config.stream) == 1 else f"{len(config.stream)} streams"
    print(f"{path}: configuration OK: {count} ({names}), published on {config.publish}")
    for place, uri, selection in inputs(config, errors):
        try:
            look_up(uri, selection)
        except SourceError as error:
            note(f"{path}: {place}: {error}; it is waited for")
    for source in {source.name for source in config.source} - {stream.source for stream in config.stream}:
        note(f"{path}: source {source}: no stream takes from it; it is not opened")
    for number, relay in enumerate(config.relay, 1):
        if relay.stream not in {None, *(stream.name for stream in config.stream)}:
            note(f"{path}: relay {number}: there is no stream {relay.stream}; it tells nothing until there is one")


def port_conflicts(bound: Mapping[str, BoundAddress]) -> Iterator[tuple[str, str, int]]:
    """Of each two addresses of which only one can be bound: the key of one, that of the other, and their port.

    Args:
        bound: by key, such as `publish` or `stream hall: source`.
    """
    for (key, one), (other_key, other) in combinations(bound.items(), 2):
        same = (one.protocol, one.port) == (other.protocol, other.port)
        if same and one.port and (_covers(one.host, other.host) or _covers(other.host, one.host)):
            yield key, other_key, one.port


def _covers(host: str, other: str) -> bool:
    family = _EVERYWHERE.get(host)
    if family is None:
        return host.replace("localhost", "127.0.0.1") == other.replace("localhost", "127.0.0.1")
    return family == "both" or ":" not in other


def _bound(config: Config, errors: ConfigErrors) -> dict[str, BoundAddress]:
    """By key, the addresses to bind; what is known to be wrong with a source is collected."""
    bound: dict[str, BoundAddress | None] = {"publish": _published(config.publish)}
    if config.metrics:
        with suppress(EndpointError):  # read_config has told it
            address = parse_address(config.metrics.address, insecure=config.metrics.insecure)
            bound["metrics.address"] = BoundAddress("tcp", *address)
    if config.page:
        bound["page.port"] = BoundAddress("tcp", config.page.host, config.page.port)
    for place, uri, selection in inputs(config, errors):
        with errors.collect(place):
            bound[place] = check_uri(uri, selection)
    return {key: address for key, address in bound.items() if address}


def inputs(config: Config, errors: ConfigErrors) -> Iterator[tuple[str, str, ChannelSelection]]:
    """Every source that is opened: its key, its address, and what is taken of it; mistakes are collected."""
    shared = {source.name: source for source in config.source}
    for source in config.source:
        with errors.collect(f"source {source.name}", "address"):
            yield f"source {source.name}: address", source.uri, source.selection
    for stream in config.stream:
        with errors.collect(f"stream {stream.name}"):
            selection = stream.selection(shared.get(stream.source))
            if stream.source and stream.source not in shared:
                yield f"stream {stream.name}: source", stream.source, selection


def _published(endpoint: str) -> BoundAddress | None:
    scheme, _, rest = endpoint.partition("://")
    host, _, port = rest.rpartition(":")
    return BoundAddress("tcp", host.strip("[]"), 0 if port == "*" else int(port)) if scheme == "tcp" else None
