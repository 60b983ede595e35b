"""`whoplays serve`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from whoplays.stream.common.logging import configure, log
from whoplays.stream.daemon.check import check
from whoplays.stream.daemon.daemon import Daemon


def serve(
    config: Path,
    /,
    *,
    check_only: Annotated[bool, Parameter(name="--check", negative=())] = False,
    json: Annotated[bool | None, Parameter(negative="--no-json")] = None,
) -> None:
    """Recognise many streams, as a configuration says, until a signal ends it.

    SIGHUP reads the configuration again: streams that did not change go on without a lost sample. SIGTERM and Ctrl-C
    end it properly.

    Args:
        config: The TOML file with the configuration.
        check_only: Only check the configuration: its keys, that its models load, its files are there, its history can
            be written, and no address is taken twice.
        json: Log in JSON, one object a line; unless given, if standard error is no terminal.
    """
    if check_only:
        check(config)
        return
    configure(json=json)
    Daemon(config, log()).run()
