"""`whoplays label`."""

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import CycloptsError, Parameter

from whoplays.models import catalogue
from whoplays.models.errors import DataError, SourceError, require_between
from whoplays.stream.archive.formats import Format
from whoplays.stream.archive.labelling import Labelled, WorkerOptions
from whoplays.stream.archive.pool import LabelPool, Pool
from whoplays.stream.archive.recordings import Recording, find_recordings
from whoplays.stream.archive.results import FileResult, LabelOptions, ResultFolder
from whoplays.stream.archive.tables import import_pyarrow, write_tables
from whoplays.stream.common.terminal import ignore_broken_pipe, note, printable, stop_on_signals
from whoplays.stream.pipeline.options import Sensitivity, hop_samples
from whoplays.stream.pipeline.recognizer import Recognizer

MOST_WORKERS: Final = 256


def label(
    *paths: Annotated[str, Parameter(allow_leading_hyphen=True)],
    out: Path = Path("labels"),
    form: Annotated[list[Format] | None, Parameter(name="--format", negative=())] = None,
    parquet: Annotated[bool, Parameter(negative=())] = False,
    model: str = "default",
    hop: float = 1.0,
    sensitivity: Sensitivity = "normal",
    min_probability: float = 0.0,
    provider: str | None = None,
    workers: int | None = None,
    ray: Annotated[bool | str, Parameter(negative=())] = False,
    retry_failed: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Label recordings: who plays when in each. A second call does only what is missing.

    Args:
        paths: Files, folders, patterns such as *.flac, addresses that begin with http://, https:// or, of object
            stores, s3://, gs:// or abfs://, or - for a list on standard input.
        out: The folder of the results.
        form: The format of each recording's file, csv unless given; may be given several times.
        parquet: Write the table of all events as Parquet too.
        model: A name from `whoplays models`, or a folder with an exported model.
        hop: Seconds from the start of one window to the next, up to 3.
        sensitivity: How many errors are accepted; low: fewer false ones, more missed; high: the other way round.
        min_probability: Leave out events that never came to it.
        provider: The onnxruntime provider, such as cpu or cuda.
        workers: How many processes; one for each core unless given.
        ray: Label on a Ray cluster, with its address as in --ray=HOST:6379; without one on a cluster of this machine.
        retry_failed: Try recordings again that failed before.
    """
    if not paths:
        raise SourceError("recordings not given; give files, folders, patterns, or - for a list on standard input")
    require_between("min_probability", min_probability, 0, 1)
    if unknown := [path for path in paths if path.startswith("-") and path != "-"]:
        raise CycloptsError(msg=f"Unknown option: {unknown[0]}. A file of that name is ./{unknown[0]}")
    require_between("workers", 1 if workers is None else workers, 1, MOST_WORKERS)
    hop_samples(hop)
    if parquet:
        import_pyarrow()
    formats = frozenset(form or ("csv",))
    # The cluster may have a provider that this machine has not.
    card = catalogue.find(model)[1] if ray else Recognizer.load(model, provider).card
    options = LabelOptions(
        model=hashlib.sha256(msgspec.json.encode(card)).hexdigest(),
        hop_s=hop,
        sensitivity=sensitivity,
        min_probability=min_probability,
    )
    how = WorkerOptions(model, provider, hop, sensitivity, min_probability, "jsonl" in formats)
    recordings = find_recordings(paths)
    if not recordings:
        raise SourceError("recordings not found; give files, or folders with audio files")
    with ResultFolder(out, options) as folder, ignore_broken_pipe():
        pool = _ray_pool(how, ray, workers) if ray else LabelPool(how, workers or len(os.sched_getaffinity(0)))
        run = LabelRun(recordings, folder, formats)
        with stop_on_signals(run.stop):
            run.label(pool, retry_failed=retry_failed)
            run.finish(parquet=parquet)


def _ray_pool(how: WorkerOptions, ray: bool | str, workers: int | None) -> Pool:
    from whoplays.stream.archive.cluster import RayPool  # noqa: PLC0415  a heavy extra

    return RayPool(how, None if ray is True else str(ray), workers)


class LabelRun:
    """One call: what is missing is labelled, and told."""

    def __init__(self, recordings: list[Recording], folder: ResultFolder, formats: frozenset[Format]) -> None:
        self._recordings: Final = recordings
        self._folder: Final = folder
        self._formats: Final = formats
        self._keys: Final[dict[str, bytes]] = {}
        self._stopped = False
        self._began_s = time.monotonic()

    def stop(self) -> None:
        """Make an end soon; what is done is kept."""
        self._stopped = True

    def label(self, pool: Pool, *, retry_failed: bool) -> None:
        """Label what is missing.

        Raises:
            DataError: it was stopped before that, or a result cannot be written.
        """
        missing, count = list(self._missing(retry_failed)), len(self._recordings)
        before = 0 if self._stopped else count - len(missing)
        if before:
            note(f"{before} of {count} recordings were labelled before")
        heard_s, done = 0.0, 0
        self._began_s = time.monotonic()
        for recording, labelled in pool.results(missing, lambda: self._stopped):
            self._keep(recording, labelled)
            done += 1
            heard_s += _seconds_heard(labelled.result)
            self._tell(labelled.result, done, len(missing), heard_s)
        if self._stopped or done < len(missing):
            raise DataError(f"stopped: {before + done} of {count} recordings are labelled; the same command continues")

    def finish(self, *, parquet: bool) -> None:
        """Write the tables of all.

        Raises:
            DataError: a recording failed.
        """
        failed = write_tables(self._folder.path, self._results(), parquet=parquet)
        if failed:
            where = self._folder.path / "files.csv"
            raise DataError(f"{failed} of {len(self._recordings)} recordings failed; {where} says why")

    def _missing(self, retry_failed: bool) -> Iterator[Recording]:
        """What is to be labelled; files that are missing of what was labelled before are written."""
        for recording, key in self._folder.keys(self._recordings):
            if self._stopped:
                return
            known = self._folder.known(recording, key)
            missing = self._folder.missing(recording, known, self._formats) if known else set[Format]()
            if known is None or (known.failed and retry_failed) or "jsonl" in missing:
                self._keys[recording.name] = key
                yield recording
            elif missing:
                self._folder.complete(recording, known, missing)

    def _results(self) -> Iterator[FileResult]:
        for recording in self._recordings:
            if self._stopped:
                raise DataError("stopped: the tables are not written; the same command continues")
            if result := self._folder.result(recording):
                yield result

    def _keep(self, recording: Recording, labelled: Labelled) -> None:
        self._folder.keep(recording, self._keys.pop(recording.name), labelled.result, self._formats, labelled.messages)

    def _tell(self, result: FileResult, done: int, count: int, heard_s: float) -> None:
        took_s = time.monotonic() - self._began_s
        if not sys.stdout.isatty():
            shares = result.annotation.shares if result.annotation else {}
            line = {"file": result.path, "duration_s": _seconds_heard(result), "plays": shares, "error": result.error}
            print(msgspec.json.encode(line).decode(), flush=True)
            return
        plays = ", ".join(result.annotation.shares) if result.annotation else ""
        left_s = took_s / done * (count - done)
        print(
            f"{done}/{count}  {heard_s / 3600:.2f} h  {heard_s / took_s:.0f} x real time  {left_s:.0f} s left  "
            f"{printable(result.path)}: {printable(result.error) or plays or 'nobody plays'}",
            flush=True,
        )


def _seconds_heard(result: FileResult) -> float:
    return result.annotation.duration_s if result.annotation else 0.0
