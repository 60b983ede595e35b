"""Serving the page: a subscriber to each publisher, and a web server, in one event loop."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from whoplays.models.errors import EndpointError
from whoplays.stream.common.uri import host_and_port
from whoplays.stream.page.access import Guard
from whoplays.stream.page.app import make_app
from whoplays.stream.page.broadcast import Broadcast
from whoplays.stream.page.options import PageOptions
from whoplays.stream.page.state import PageState
from whoplays.stream.pubsub.endpoint import check_connect
from whoplays.stream.pubsub.subscriber import AsyncSubscriber
from whoplays.stream.security.keys import ClientKeys

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_MOST_CONNECTIONS: Final = 100
_REQUEST_S: Final = 5.0
"""How long a request may take to come, its body included, from the connection or the answer before."""
_GRACE_S: Final = 1
"""How long requests may go on after a signal."""


def serve_page(
    endpoints: Sequence[str], options: PageOptions, keys: ClientKeys | None, ready: Callable[[str], None]
) -> None:
    """Serve the page until SIGTERM or SIGINT.

    Args:
        endpoints: ZeroMQ addresses of publishers; they need not be there yet.
        ready: called with the page's address once it can be asked for.

    Raises:
        EndpointError: an address is malformed, or the page's is in use or not of this machine.
        OptionError: others could see the page without a token.
    """
    options.check()
    for endpoint in endpoints:
        check_connect(endpoint)
    with _listening(options.host, options.port) as listener:
        asyncio.run(_serve(endpoints, options, keys, listener, ready))


async def _serve(
    endpoints: Sequence[str],
    options: PageOptions,
    keys: ClientKeys | None,
    listener: socket.socket,
    ready: Callable[[str], None],
) -> None:
    # A client that is refused is no news, and could fill a log.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    state = PageState()
    broadcast = Broadcast(state)
    app = Guard(make_app(state, broadcast, options.history), _hosts(options), options.token)
    config = uvicorn.Config(
        app,
        http=_HttpProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _PageServer(config)

    def stop() -> None:
        server.should_exit = True
        broadcast.close()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    async with AsyncExitStack() as stack:
        subscribers = [await stack.enter_async_context(AsyncSubscriber(endpoint, keys=keys)) for endpoint in endpoints]
        tasks = [
            asyncio.create_task(work) for work in (broadcast.run(), *(_follow(each, state) for each in subscribers))
        ]
        ready(f"http://{host_and_port(options.host, listener.getsockname()[1])}/")
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await asyncio.wait([serving, *tasks], return_when=asyncio.FIRST_COMPLETED)
        stop()
        await serving
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def _follow(subscriber: AsyncSubscriber, state: PageState) -> None:
    async for item in subscriber:
        state.update(item)


class _HttpProtocol(H11Protocol):
    """Closes what does not ask within some seconds: else those who say nothing would keep everybody else out."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def on_response_complete(self) -> None:
        """Begin to wait for the next one."""
        super().on_response_complete()
        self._waiting.cancel()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._waiting.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = asyncio.get_running_loop().call_later(_REQUEST_S, self._expire)

    def _expire(self) -> None:
        # A cycle is a request with its answer; one whose body has not come is none yet.
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            self.transport.close()


class _PageServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the event loop's own handlers."""
        yield


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise EndpointError(f"the page cannot be served on {host}:{port}: {error.strerror or error}") from error
    with listener:
        yield listener


def _hosts(options: PageOptions) -> frozenset[str]:
    """The names that the page may be asked for by; any behind a proxy, which knows its own."""
    if options.insecure and not options.allow_hosts:
        return frozenset()
    own = () if options.host in {"0.0.0.0", "::"} else (options.host.lower(),)  # noqa: S104  compared, not bound
    return _LOOPBACK | {*own, *(host.lower() for host in options.allow_hosts)}
