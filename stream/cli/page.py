"""`whoplays page`."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from whoplays.models.errors import OptionError
from whoplays.stream.page.options import PageOptions, read_token
from whoplays.stream.pubsub.endpoint import DEFAULT_ENDPOINT
from whoplays.stream.security.keys import client_keys


def page(
    *endpoints: str,
    host: str = "127.0.0.1",
    port: int = 8765,
    token_file: Path | None = None,
    insecure: Annotated[bool, Parameter(negative=())] = False,
    allow_host: Annotated[list[str] | None, Parameter(negative=())] = None,
    history: Path | None = None,
    keys: Path | None = None,
    server_key: Path | None = None,
) -> None:
    """Show in a browser what publishers send: who plays, since when, levels, and the concert so far.

    Args:
        endpoints: The publishers' ZeroMQ addresses; the usual one on this machine unless given.
        host: The address to serve the page on; others than this machine's own need a token.
        port: Its port; 0 for any that is free.
        token_file: A file with a token of 16 characters or more, which whoever opens the page has to give.
        insecure: Serve it to others without a token: behind a proxy that asks who they are.
        allow_host: A further name that the page may be asked for by, such as a proxy's.
        history: The database of whoplays serve, for what was before the page began.
        keys: Your own secret key file, for publishers that encrypt.
        server_key: The publishers' public key file.
    """
    if not 0 <= port <= 65_535:
        raise OptionError(f"--port must be between 0 and 65535, got {port}")
    # Checked before anything is opened.
    own = client_keys(keys, server_key)
    from whoplays.stream.page.server import serve_page  # noqa: PLC0415  whose packages an extra brings

    token = read_token(token_file) if token_file else None
    options = PageOptions(host, port, token, insecure, tuple(allow_host or ()), history)
    serve_page(
        endpoints or (DEFAULT_ENDPOINT,), options, own, lambda address: print(address, file=sys.stderr, flush=True)
    )
