"""Whether a configuration makes sense, without serving it."""

from pathlib import Path

from models.errors import OptionError, WhoplaysError
from stream.endpoint import check_bind
from stream.history.retention import check_limits
from stream.metrics.address import parse_place
from stream.opening import later
from stream.serve.config import read_config
from stream.serve.roster import load
from stream.sources import is_lasting


def check(path: Path) -> None:
    """Say what a configuration does; nothing is bound and no live source opened.

    Raises:
        WhoplaysError: it makes no sense, a model does not load, keys are of no use, or a file cannot be listened to.
    """
    config = read_config(path)
    keys = config.security.keys_for(config.publish)
    check_bind(config.publish, insecure=config.security.insecure, encrypted=keys is not None)
    if config.metrics:
        parse_place(config.metrics.address, insecure=config.metrics.insecure)
    if config.history:
        check_limits(config.history.max_age_days, config.history.max_bytes)
    load(config.stream, {})
    for stream in config.stream:
        if is_lasting(stream.source):
            continue
        try:
            later(stream.source, stream.intake).open()
        except WhoplaysError as error:
            raise OptionError(f"{path}: stream {stream.name}: {error}") from error
    names = ", ".join(stream.name for stream in config.stream)
    count = "1 stream" if len(config.stream) == 1 else f"{len(config.stream)} streams"
    print(f"{path}: {count} ({names}), published on {config.publish}; it makes sense")
