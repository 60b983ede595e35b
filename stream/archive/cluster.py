"""Labels recordings on a cluster, with Ray Data: what the processes of a pool do here, its actors do there."""

import contextlib
import importlib
import logging
import os
import socket
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Final
from unittest import mock

import msgspec

from whoplays.models.errors import OptionError, ProviderError
from whoplays.stream.archive.labelling import Labelled, Labeller, WorkerOptions
from whoplays.stream.archive.pool import WAIT_S, died
from whoplays.stream.archive.recordings import Recording
from whoplays.stream.archive.results import FileResult
from whoplays.stream.common.terminal import printable

ROUND: Final = 4096
"""So many recordings are handed to Ray at a time, however many there are."""
STORE_BYTES: Final = 256 << 20
"""Of Ray's object store: of that which is started here, and of what is under way on any."""
ATTEMPTS: Final = 3
SETTINGS: Final = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_ENABLE_AUTO_CONNECT": "0"}
"""Heeded at the import. Without the first Ray reports to its maker how it is used; without the last, whatever of it is
left when it is shut down looks for another cluster."""
CONNECT_S: Final = 10.0


class RayPool:
    """Labels recordings in Ray's actors: one for each core of a cluster, or for each of its GPUs with `cuda`.

    Each machine needs whoplays, and the recordings and the model at the same place.

    Args:
        options: how.
        address: of the cluster, as Ray takes it; None for one on this machine that lasts as long as this process.
        workers: how many actors; as many as there are cores, or GPUs, unless given.

    Raises:
        OptionError: Ray is not installed.
        ProviderError: there is no such cluster.
    """

    def __init__(self, options: WorkerOptions, address: str | None, workers: int | None) -> None:
        self._options: Final = options
        self._ray: Final = _import_ray()
        self._problem = ""
        try:
            with _without_stderr():
                _begin(self._ray, address, workers)
        except (OSError, OverflowError, ValueError, RuntimeError) as error:
            reason = printable(" ".join(str(error).split()))
            raise ProviderError(f"Ray {address or 'on this machine'} cannot be used: {reason[:300]}") from error
        self._kind: Final = "GPU" if options.provider == "cuda" else "CPU"
        self._workers: Final = workers or max(1, int(self._ray.cluster_resources().get(self._kind, 1)))

    def results(
        self, recordings: Sequence[Recording], stopped: Callable[[], bool]
    ) -> Iterator[tuple[Recording, Labelled]]:
        """Each recording with what came of it, as they are done; none any more once stopped."""
        try:
            for start in range(0, len(recordings), ROUND):
                left = dict(enumerate(recordings[start : start + ROUND]))
                for _ in range(ATTEMPTS):
                    if left and not stopped():
                        yield from self._attempt(left, stopped)
                if left and not stopped():
                    yield from self._given_up(left)
        finally:
            self._ray.shutdown()

    def _attempt(self, left: dict[int, Recording], stopped: Callable[[], bool]) -> Iterator[tuple[Recording, Labelled]]:
        """Label what is left, and take what is done from it; what is lost with a machine or a process stays.

        Ray works in a thread, so that it is left at once when it is stopped.
        """
        rows: Queue[dict[str, Any] | None] = Queue(2 * self._workers)
        threading.Thread(
            target=self._pass_on, args=(self._mapped(left), rows), name="whoplays-ray", daemon=True
        ).start()
        while not stopped():
            try:
                row = rows.get(timeout=WAIT_S)
            except Empty:
                continue
            if row is None:
                return
            result = msgspec.json.decode(row["result"], type=FileResult)
            yield left.pop(row["number"]), Labelled(result, row["messages"])

    def _given_up(self, left: dict[int, Recording]) -> Iterator[tuple[Recording, Labelled]]:
        """What ended each process that labelled it, or what Ray cannot go on with."""
        if self._problem:
            raise ProviderError(f"Ray cannot go on: {printable(self._problem)[-300:]}")
        yield from ((recording, died(recording)) for recording in left.values())

    def _pass_on(self, dataset: Any, rows: "Queue[dict[str, Any] | None]") -> None:
        self._problem = ""
        try:
            for row in dataset.iter_rows():
                rows.put(row)
        except Exception as error:  # noqa: BLE001  it is tried again, and raised at last
            self._problem = " ".join(str(error).split()) or type(error).__name__
        rows.put(None)

    def _mapped(self, recordings: Mapping[int, Recording]) -> Any:
        """A dataset with what came of each; a block each, so that it is done when it is labelled."""
        data = self._ray.data
        rows = [{"number": number, "place": os.fsencode(each.place)} for number, each in recordings.items()]
        with warnings.catch_warnings():
            # How often is tried again has no other way in yet.
            warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
            dataset = data.from_items(rows, override_num_blocks=len(rows)).map(
                LabelActor,
                fn_constructor_args=(self._options, str(Path.cwd())),
                compute=data.ActorPoolStrategy(min_size=1, max_size=min(self._workers, len(rows))),
                num_cpus=1,
                num_gpus=1 if self._kind == "GPU" else None,
                max_task_retries=ATTEMPTS,
            )
        context = dataset.context
        context.enable_progress_bars = context.print_on_execution_start = False
        context.max_errored_blocks = -1
        context.execution_options.resource_limits = data.ExecutionResources.for_limits(object_store_memory=STORE_BYTES)
        return dataset


def _begin(ray: Any, address: str | None, workers: int | None) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address:
        if address != "auto":
            _refuse_absent(address)
        ray.init(address, **options)
        return
    # A process that shows a page, and asks around for which cloud this is, usage statistics or not, is not started.
    with mock.patch("ray._private.node.Node.start_api_server"):
        ray.init("local", num_cpus=workers, include_dashboard=False, object_store_memory=STORE_BYTES, **options)


def _refuse_absent(address: str) -> None:
    """Ray would end this process, without a word, if nobody answers."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and "/" not in host):
        raise ValueError("its address must be HOST:PORT or auto")
    socket.create_connection((host, int(port)), CONNECT_S).close()


class LabelActor:
    """A process of Ray's that labels recordings.

    Args:
        options: how.
        folder: from which paths begin.
    """

    def __init__(self, options: WorkerOptions, folder: str) -> None:
        with contextlib.suppress(OSError):
            os.chdir(folder)
        self._labeller: Final = Labeller(WorkerOptions(*options))

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """What came of the recording in a row."""
        result, messages = self._labeller.label(os.fsdecode(row["place"]))
        return {"number": row["number"], "result": msgspec.json.encode(result), "messages": messages}


@contextlib.contextmanager
def _without_stderr() -> Iterator[None]:
    """What Ray's own code prints there as it begins is no message to anybody; what goes wrong, it raises."""
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _import_ray() -> Any:
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        ray = importlib.import_module("ray")
        importlib.import_module("ray.data")
    except ModuleNotFoundError as error:
        raise OptionError("--ray needs Ray; install whoplays[ray]") from error
    # What it would tell of a part that died is no error: the rest goes on.
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    ray._private.worker.print_to_stdstream = lambda *_, **__: None
    return ray
