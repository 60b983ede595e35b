"""Whether a configuration makes sense, without serving it."""

from pathlib import Path

from stream.naming import naming
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
    with naming(str(path)):
        config.security.keys_for(config.publish)
        load(config.stream, {})
        for stream in config.stream:
            if not is_lasting(stream.source):
                with naming(f"stream {stream.name}", "source"):
                    later(stream.source, stream.intake).open()
    names = ", ".join(stream.name for stream in config.stream)
    count = "1 stream" if len(config.stream) == 1 else f"{len(config.stream)} streams"
    print(f"{path}: {count} ({names}), published on {config.publish}; it makes sense")
