"""Who decides at each handshake whether a client may connect."""

from collections.abc import Iterator
from contextlib import contextmanager

import zmq

from whoplays.stream.security.allow_list import AllowList
from whoplays.stream.security.keys import ZAP_DOMAIN, ServerKeys


@contextmanager
def guarding(context: zmq.Context[zmq.Socket[bytes]], keys: ServerKeys | None) -> Iterator[None]:
    """Decide for the bound sockets of a context who may connect; without keys, nothing is decided.

    It may be left in another thread than it was entered in, after those sockets were closed.
    """
    if keys is None:
        yield
        return
    from zmq.auth.thread import ThreadAuthenticator  # noqa: PLC0415  it loads asyncio, which only this needs

    authenticator = ThreadAuthenticator(context)
    authenticator.configure_curve_callback(ZAP_DOMAIN, _Decision(keys.allowed))
    authenticator.start()
    try:
        yield
    finally:
        authenticator.stop()


class _Decision:
    def __init__(self, allowed: AllowList) -> None:
        self._allowed = allowed

    def callback(self, _domain: str, key: bytes) -> bool:
        return self._allowed.admits(key)
