"""The daemon: engine, publisher, history and metrics under one configuration, until it is told to end."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec
from structlog.typing import FilteringBoundLogger

from whoplays.models.errors import OptionError, WhoplaysError, naming
from whoplays.stream.common.terminal import signal_safe, stop_on_signals
from whoplays.stream.daemon.config import Config, HistoryConfig, MetricsConfig, read_config
from whoplays.stream.daemon.event_log import EventLog
from whoplays.stream.daemon.health import HealthMonitor
from whoplays.stream.daemon.reload import StreamReloader
from whoplays.stream.history.worker import HistoryWorker
from whoplays.stream.metrics.collectors import Metrics, Probes
from whoplays.stream.metrics.server import MetricsServer
from whoplays.stream.pipeline.engine import Engine
from whoplays.stream.pubsub.messages import End, Message
from whoplays.stream.pubsub.publisher import Publisher


class Notifier:
    """Sends states to the service manager that started us; to nobody if none did."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the zero byte of an abstract address.
        self._address: Final = "\0" + address[1:] if address.startswith("@") else address
        self._socket: Final = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.watchdog_s: Final = _watchdog_s()
        """How often at least the watchdog wants to be fed; 0 if there is none."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def tell(self, state: str) -> bool:
        """Send a state such as `READY=1`; False if nobody could be told."""
        if not self._address:
            return False
        try:
            self._socket.sendto(state.encode(), socket.MSG_DONTWAIT, self._address)
        except OSError:
            # Whoever listens may be restarting; a watchdog that stays hungry says it loud enough.
            return False
        return True


def _watchdog_s() -> float:
    limit_us, owner = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not limit_us.isdecimal() or (owner and owner != str(os.getpid())):
        return 0.0
    return int(limit_us) / 1e6


Follow = Callable[[Message], None]


class Daemon:
    """Serves a configuration: SIGHUP reads it again, SIGTERM and SIGINT end it after the last window is judged.

    Args:
        path: the configuration file.
        log: where lines about what happens go.

    Raises:
        WhoplaysError: the configuration makes no sense, or something that it names cannot be had.
    """

    def __init__(self, path: Path, log: FilteringBoundLogger) -> None:
        self._path: Final = path
        self._log: Final = log
        self._config = read_config(path)
        self._flow: Final = HealthMonitor()
        with naming(str(path)):
            self._publisher: Final = _publisher(self._config, log)
            self._engine: Final = Engine(self._publisher)
            self._roster: Final = StreamReloader(self._engine)
            self._roster.apply(self._config.stream)

    def run(self) -> None:
        """Serve until told to end, or until every stream is over.

        Raises:
            WhoplaysError: an address or the history is of no use, a model fails, or a stream failed for good.
        """
        with ExitStack() as stack:
            # First, so that a signal is heeded until the last message is kept.
            stack.enter_context(stop_on_signals(self._engine.stop))
            stack.enter_context(self._reloading())
            notifier = stack.enter_context(Notifier())
            with naming(str(self._path), "publish"):
                stack.enter_context(self._publisher)
            followers = [self._flow.follow, EventLog(self._log).follow, *self._followers(stack)]
            self._log.info("publishing", endpoint=self._publisher.endpoint)
            self._follow(followers, notifier)
            notifier.tell("STOPPING=1")
        self._log.info("done")
        self._engine.check()

    def _follow(self, followers: list[Follow], notifier: Notifier) -> None:
        ready, fed_s = False, 0.0
        for message in self._engine.run():
            for follow in followers:
                follow(message)
            ready = ready or notifier.tell("READY=1")
            now_s = time.monotonic()
            # The watchdog is fed in the engine's own thread: what hangs feeds nobody.
            if notifier.watchdog_s and now_s - fed_s > notifier.watchdog_s / 4 and not self._flow.stuck():
                notifier.tell("WATCHDOG=1")
                fed_s = now_s

    def _followers(self, stack: ExitStack) -> Iterator[Follow]:
        keeper = None
        if self._config.history:
            with naming(str(self._path), "history.path"):
                keeper = stack.enter_context(_keeper(self._config.history, self._log))
            yield keeper.keep
        if self._config.metrics:
            with naming(str(self._path), "metrics.address"):
                metrics, server = _metrics(self._config.metrics, self._publisher, keeper, self._flow)
                stack.enter_context(server)
            self._log.info("metrics", address=server.address)
            yield metrics.follow
            yield lambda message: metrics.forget(message.stream) if _was_removed(message) else None

    @contextmanager
    def _reloading(self) -> Iterator[None]:
        """Read the configuration again at SIGHUP, in a thread of its own: loading a model delays no window."""
        with signal_safe(self._reload, "whoplays-reload") as ask:
            before = signal.signal(signal.SIGHUP, lambda _number, _frame: ask())
            try:
                yield
            finally:
                signal.signal(signal.SIGHUP, before)

    def _reload(self) -> None:
        try:
            config = read_config(self._path)
            with naming(str(self._path)):
                _refuse_other(self._config, config)
                self._roster.apply(config.stream)
        except WhoplaysError as error:
            self._log.error("not reloaded; all goes on as before", reason=str(error))
            return
        self._config = config
        self._flow.expect({stream.name for stream in config.stream})
        self._log.info("reloaded", streams=[stream.name for stream in config.stream])


def _publisher(config: Config, log: FilteringBoundLogger) -> Publisher:
    security = config.security
    return Publisher(
        config.publish,
        insecure=security.insecure,
        keys=security.keys_for(config.publish),
        on_handshake_failed=lambda text: log.warning("subscriber refused", reason=text),
    )


def _metrics(
    settings: MetricsConfig, publisher: Publisher, keeper: HistoryWorker | None, flow: HealthMonitor
) -> tuple[Metrics, MetricsServer]:
    probes = Probes(
        queue_depth=lambda: publisher.waiting,
        dropped_messages=lambda: publisher.dropped,
        handshakes=lambda: (publisher.handshakes.succeeded, publisher.handshakes.failed),
        history_dropped=lambda: keeper.dropped if keeper else 0,
    )
    metrics = Metrics(probes)
    server = MetricsServer(
        settings.address, metrics, ready=flow.unready, healthy=flow.stuck, insecure=settings.insecure
    )
    return metrics, server


def _keeper(history: HistoryConfig, log: FilteringBoundLogger) -> HistoryWorker:
    return HistoryWorker(
        history.file,
        keep_windows=history.keep_windows,
        max_age_days=history.max_age_days,
        max_bytes=history.max_bytes,
        tell=lambda text: log.warning("history", trouble=text),
    )


def _was_removed(message: Message) -> bool:
    """Whether a stream is heard no more because nobody wants it; one that failed goes on to be told."""
    return isinstance(message, End) and message.reason == "stopped"


def _refuse_other(before: Config, after: Config) -> None:
    """Only streams can be changed while the daemon runs."""
    for field in msgspec.structs.fields(Config):
        if field.name != "stream" and getattr(before, field.name) != getattr(after, field.name):
            raise OptionError(f"{field.name} cannot be changed while serving; restart for it")
