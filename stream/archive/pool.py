"""Processes that label recordings, one a core; one that dies costs the recording that it was at."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Final, NamedTuple

from whoplays.models.errors import WhoplaysError
from whoplays.stream.archive.labelling import AnnotationBuilder, messages_of
from whoplays.stream.archive.results import FileResult, shown
from whoplays.stream.common.deadline import end_with_parent
from whoplays.stream.pipeline.options import Sensitivity
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import Window, encode

WAIT_S: Final = 0.2
DIED: Final = "the process that labelled it was ended; is there too little memory?"


class LabelTask(NamedTuple):
    """A recording for a worker."""

    key: str
    path: Path
    messages: Path | None
    """Where its messages are written, if they are."""


class WorkerOptions(NamedTuple):
    """How workers label."""

    model: str
    provider: str | None
    hop_s: float
    sensitivity: Sensitivity
    min_probability: float


class LabelPool:
    """Labels recordings in several processes.

    Args:
        options: how.
        workers: how many processes.
    """

    def __init__(self, options: WorkerOptions, workers: int) -> None:
        self._options: Final = options
        self._workers: Final = workers

    def results(
        self, tasks: Iterable[LabelTask], stopped: Callable[[], bool]
    ) -> Iterator[tuple[LabelTask, FileResult]]:
        """Each task with what came of it, as they are done; none any more once stopped."""
        waiting, suspects = deque(tasks), deque[LabelTask]()
        while (waiting or suspects) and not stopped():
            # When a process dies, all that were under way are lost, and each is tried again by itself.
            alone = [suspects.popleft()] if suspects else []
            for task, result in self._attempt(deque(alone) if alone else waiting, stopped):
                if result is not None:
                    yield task, result
                elif alone:
                    yield task, FileResult(path=shown(task.path), error=DIED)
                else:
                    suspects.append(task)

    def _attempt(
        self, waiting: deque[LabelTask], stopped: Callable[[], bool]
    ) -> Iterator[tuple[LabelTask, FileResult | None]]:
        """Until there are none, or a process died: then None for each task that was under way."""
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(self._workers, len(waiting)), context, _load, (self._options,))
        running: dict[Future[FileResult], LabelTask] = {}
        try:
            while (waiting or running) and not stopped():
                while waiting and len(running) < 2 * self._workers:
                    running[pool.submit(_label, waiting[0])] = waiting[0]
                    waiting.popleft()
                done, _ = wait(running, WAIT_S, FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    yield running.pop(future), result
        except BrokenProcessPool:
            yield from ((task, None) for task in running.values())
        finally:
            for process in tuple((pool._processes or {}).values()):
                process.kill()
            pool.shutdown(wait=True, cancel_futures=True)


_loaded: tuple[Recognizer, WorkerOptions] | None = None
"""Of a worker process."""


def _load(options: WorkerOptions) -> None:
    """Begin a worker process."""
    global _loaded  # noqa: PLW0603  a pool gives its workers nothing else to keep things in
    # Ctrl-C in a terminal is meant for the parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    _loaded = Recognizer.load(options.model, options.provider), options


def _label(task: LabelTask) -> FileResult:
    if _loaded is None:
        raise AssertionError("a worker is loaded first")
    recognizer, options = _loaded
    builder, windows = AnnotationBuilder(shown(task.path), recognizer, options.hop_s), 0
    error = ""
    part = (task.messages or Path(os.devnull)).with_suffix(".part") if task.messages else Path(os.devnull)
    with part.open("wb") as file:
        try:
            for message in messages_of(str(task.path), recognizer, options.hop_s, options.sensitivity):
                builder.take(message)
                file.write(encode(message) + b"\n")
                windows += isinstance(message, Window)
        except WhoplaysError as failure:
            error = str(failure)
        except Exception as failure:  # noqa: BLE001  whatever it is, it is one recording's
            error = f"failed unexpectedly: {' '.join(repr(failure).split())}"
    if task.messages:
        part.replace(task.messages)
    annotation = builder.annotation(options.min_probability) if windows else None
    return FileResult(path=shown(task.path), annotation=annotation, error=error)


def seconds_heard(result: FileResult) -> float:
    """How much of a recording was labelled."""
    return result.annotation.duration_s if result.annotation else 0.0
