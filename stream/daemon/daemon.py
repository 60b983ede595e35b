"""The daemon: engine, publisher, history and metrics under one configuration, until a signal ends it."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Self

import msgspec
from structlog.typing import FilteringBoundLogger

from whoplays.models.errors import DataError, OptionError, WhoplaysError, naming
from whoplays.stream.clips.folder import ClipFolder
from whoplays.stream.clips.recorder import ClipRecorder
from whoplays.stream.common.descriptors import most_streams, raise_descriptor_limit
from whoplays.stream.common.paths import expanded
from whoplays.stream.common.terminal import signal_safe, stop_on_signals
from whoplays.stream.common.thread_watch import ThreadWatch
from whoplays.stream.daemon.children import Children, children_of
from whoplays.stream.daemon.config import ClipsConfig, Config, HistoryConfig, read_config
from whoplays.stream.daemon.config_errors import ConfigErrors
from whoplays.stream.daemon.event_log import EventLog
from whoplays.stream.daemon.health import HealthMonitor
from whoplays.stream.daemon.reload import StreamReloader, check_streams
from whoplays.stream.history.worker import HistoryWorker
from whoplays.stream.metrics.collectors import Metrics, Probes
from whoplays.stream.metrics.server import MetricsServer
from whoplays.stream.pipeline.engine import Engine
from whoplays.stream.pubsub.messages import End, Message
from whoplays.stream.pubsub.publisher import Publisher

RELOADED: Final = frozenset({"stream", "source", "alert"})
"""What can be changed while serving."""


class Notifier:
    """Sends states to the service manager that started this process, if one did."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the zero byte of an abstract address.
        self._address: Final = "\0" + address[1:] if address.startswith("@") else address
        self._socket: Final = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.watchdog_s: Final = _watchdog_s()
        """The longest time without `WATCHDOG=1`; 0 if there is no watchdog."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, state: str) -> bool:
        """Send a state such as `READY=1`; False if no one receives it."""
        if not self._address:
            return False
        try:
            self._socket.sendto(state.encode(), socket.MSG_DONTWAIT, self._address)
        except OSError:
            # The receiver may be restarting.
            return False
        return True


def _watchdog_s() -> float:
    limit_us, owner = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not limit_us.isdecimal() or (owner and owner != str(os.getpid())):
        return 0.0
    return int(limit_us) / 1e6


MessageHandler = Callable[[Message], None]


class Daemon:
    """Serves a configuration: SIGHUP reads it again, SIGTERM and SIGINT end it after the last window is recognised.

    Raises:
        WhoplaysError: the configuration has mistakes, or something that it names is missing.
    """

    def __init__(self, path: Path, log: FilteringBoundLogger) -> None:
        self._path: Final = path
        self._log: Final = log
        errors = ConfigErrors(path)
        self._config = read_config(path, errors)
        self._health: Final = HealthMonitor()
        self._watch: Final = ThreadWatch(log)
        security = self._config.security
        keys = None
        with errors.collect():
            keys = security.keys_for(self._config.publish)
        loaded = check_streams(self._config, errors)
        self._keys: Final = keys
        self._children: Final = Children(children_of(self._config), log, self._watch)
        self._publisher: Final = Publisher(
            self._config.publish,
            insecure=security.insecure,
            keys=keys,
            on_handshake_failed=lambda text: log.warning("subscriber refused", reason=text),
        )
        self._engine: Final = Engine(
            self._publisher, lambda stream, error: log.error("failed unexpectedly", stream=stream, exc_info=error)
        )
        self._history: HistoryWorker | None = None
        self._reloader: Final = StreamReloader(self._engine, loaded)
        self._reloader.apply(self._config, ConfigErrors(path))

    def run(self) -> None:
        """Serve until a signal ends it, or until every stream has ended.

        Raises:
            WhoplaysError: an address or the history cannot be used, a model fails, or a stream failed for good.
        """
        self._check_descriptors()
        with ExitStack() as stack:
            # First, so that signals are handled until the last message is written.
            stack.enter_context(stop_on_signals(self._stop))
            stack.enter_context(self._reloading())
            notifier = stack.enter_context(Notifier())
            # They end after the last message was sent.
            stack.enter_context(self._children)
            with naming(str(self._path), "publish"):
                stack.enter_context(self._publisher)
            handlers = [self._health.handle, EventLog(self._log).handle, *self._handlers(stack)]
            self._log.info("publishing", endpoint=self._publisher.endpoint)
            self._children.start(self._publisher.endpoint, self._keys)
            self._handle_messages(handlers, notifier)
            notifier.send("STOPPING=1")
        self._log.info("done")
        self._engine.check()
        if self._history and self._history.unkept:
            raise DataError(
                f"the last {self._history.unkept} messages are not in the history; its disk could not be written"
            )

    def _stop(self) -> None:
        self._children.stop()
        self._engine.stop_in_time()

    def _check_descriptors(self) -> None:
        limit, streams = raise_descriptor_limit(), len(self._config.stream)
        if streams > (most := most_streams(limit)):
            self._log.warning("the limit on open files is low", limit=limit, streams=streams, streams_that_fit=most)

    def _handle_messages(self, handlers: list[MessageHandler], notifier: Notifier) -> None:
        ready, notified_s = False, 0.0
        for message in self._engine.run():
            for handle in handlers:
                handle(message)
            ready = ready or notifier.send("READY=1")
            now_s = time.monotonic()
            # In the engine's own thread: when that hangs, the watchdog gets nothing.
            if notifier.watchdog_s and now_s - notified_s > notifier.watchdog_s / 4 and not self._health.stuck():
                notifier.send("WATCHDOG=1")
                notified_s = now_s

    def _handlers(self, stack: ExitStack) -> Iterator[MessageHandler]:
        """Those of history and metrics, whose threads run until the stack is closed."""
        history = None
        if self._config.history:
            with naming(str(self._path), "history.path"):
                history = self._history = stack.enter_context(self._history_worker(self._config.history))
            yield history.handle
        if self._config.clips:
            with naming(str(self._path), "clips.folder"):
                clips = stack.enter_context(self._clip_recorder(self._config.clips))
            yield lambda message: self._record(clips, message)
        if self._config.metrics:
            metrics, settings = Metrics(self._probes(history)), self._config.metrics
            server = MetricsServer(
                settings.address,
                metrics,
                self._health.unready,
                lambda: self._health.stuck() or self._watch.trouble() or (history.trouble() if history else None),
                insecure=settings.insecure,
                watch=self._watch,
            )
            with naming(str(self._path), "metrics.address"):
                stack.enter_context(server)
            self._log.info("metrics", address=server.address)
            yield metrics.handle
            yield lambda message: metrics.forget(message.stream) if _was_removed(message) else None

    def _history_worker(self, settings: HistoryConfig) -> HistoryWorker:
        return HistoryWorker(
            settings.file,
            watch=self._watch,
            keep_windows=settings.keep_windows,
            max_age_days=settings.max_age_days,
            max_mb=settings.max_mb,
            on_problem=lambda text: self._log.warning("history", trouble=text),
        )

    def _clip_recorder(self, settings: ClipsConfig) -> ClipRecorder:
        return ClipRecorder(
            ClipFolder(expanded(settings.folder), settings.max_age_days, settings.max_mb),
            entrances=settings.of != "unsure",
            unsure=settings.of != "entrances",
            before_s=settings.before_s,
            max_length_s=settings.max_length_s,
            on_problem=lambda text: self._log.warning("clips", trouble=text),
            watch=self._watch,
        )

    def _record(self, clips: ClipRecorder, message: Message) -> None:
        if ring := self._engine.ring(message.stream):
            clips.handle(message, ring)

    def _probes(self, history: HistoryWorker | None) -> Probes:
        publisher = self._publisher
        return Probes(
            queue_depth=lambda: publisher.waiting,
            dropped_messages=lambda: publisher.dropped,
            handshakes=lambda: (publisher.handshakes.succeeded, publisher.handshakes.failed),
            history_dropped=lambda: history.dropped if history else 0,
            thread_failures=lambda: self._watch.failures,
        )

    @contextmanager
    def _reloading(self) -> Iterator[None]:
        """Read the configuration again at SIGHUP, in a thread of its own: loading a model delays no window."""
        with signal_safe(lambda: self._watch.attempt("reload", self._reload), "whoplays-reload") as ask:
            before = signal.signal(signal.SIGHUP, lambda _number, _frame: ask())
            try:
                yield
            finally:
                signal.signal(signal.SIGHUP, before)

    def _reload(self) -> None:
        try:
            errors = ConfigErrors(self._path)
            config = read_config(self._path, errors)
            # A section with a mistake has its defaults, which differ.
            fixed = (
                () if errors.any else [field for field in msgspec.structs.fields(Config) if field.name not in RELOADED]
            )
            for field in fixed:
                with errors.collect():
                    if getattr(config, field.name) != getattr(self._config, field.name):
                        raise OptionError(f"{field.name} cannot be changed while serving; restart for it")
            self._reloader.apply(config, errors)
        except WhoplaysError as error:
            self._log.error("not reloaded; all goes on as before", reason=str(error))
            return
        self._config = config
        self._health.expect({stream.name for stream in config.stream})
        self._log.info("reloaded", streams=[stream.name for stream in config.stream])


def _was_removed(message: Message) -> bool:
    """Whether a stream ended because it was removed; one that failed stays in the metrics."""
    return isinstance(message, End) and message.reason == "stopped"
