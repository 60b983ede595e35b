"""`whoplays label`."""

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import CycloptsError, Parameter

from whoplays.models.errors import DataError, SourceError, require_between
from whoplays.stream.archive.formats import Format
from whoplays.stream.archive.pool import LabelPool, LabelTask, WorkerOptions, seconds_heard
from whoplays.stream.archive.results import FileResult, LabelOptions, Recording, ResultFolder, find_recordings
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
    retry_failed: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Label recordings: who plays when in each. A second call does only what is missing.

    Args:
        paths: Files, folders, patterns such as *.flac, or - for a list on standard input.
        out: The folder of the results.
        form: The format of each recording's file, csv unless given; may be given several times.
        parquet: Write the table of all events as Parquet too.
        model: A name from `whoplays models`, or a folder with an exported model.
        hop: Seconds from the start of one window to the next, up to 3.
        sensitivity: How many errors are accepted; low: fewer false ones, more missed; high: the other way round.
        min_probability: Leave out events that never came to it.
        provider: The onnxruntime provider, such as cpu or cuda.
        workers: How many processes; one for each core unless given.
        retry_failed: Try recordings again that failed before.
    """
    if not paths:
        raise SourceError("recordings not given; give files, folders, patterns, or - for a list on standard input")
    require_between("min_probability", min_probability, 0, 1)
    if unknown := [path for path in paths if path.startswith("-") and path != "-"]:
        raise CycloptsError(msg=f"Unknown option: {unknown[0]}. A file of that name is ./{unknown[0]}")
    require_between("workers", 1 if workers is None else workers, 1, MOST_WORKERS)
    hop_samples(hop)
    formats = tuple(form or ("csv",))
    options = LabelOptions(
        model=hashlib.sha256(msgspec.json.encode(Recognizer.load(model, provider).card)).hexdigest(),
        hop_s=hop,
        sensitivity=sensitivity,
        min_probability=min_probability,
        messages="jsonl" in formats,
    )
    run = LabelRun(list(find_recordings(paths)), ResultFolder(out, options), formats, messages=options.messages)
    pool = LabelPool(
        WorkerOptions(model, provider, hop, sensitivity, min_probability), workers or len(os.sched_getaffinity(0))
    )
    with ignore_broken_pipe(), stop_on_signals(run.stop):
        run.label(pool, retry_failed=retry_failed)
        run.finish(parquet=parquet)


class LabelRun:
    """One call: what is missing is labelled, and told."""

    def __init__(
        self, recordings: list[Recording], folder: ResultFolder, formats: tuple[Format, ...], *, messages: bool
    ) -> None:
        if not recordings:
            raise SourceError("recordings not found; give files, or folders with audio files")
        self._folder: Final = folder
        self._formats: Final = formats
        self._messages: Final = messages
        self._recordings: Final = {folder.key(recording): recording for recording in recordings}
        self._results: Final[dict[str, FileResult]] = {}
        self._stopped = False
        self._began_s = time.monotonic()

    def stop(self) -> None:
        """Make an end soon; what is done is kept."""
        self._stopped = True

    def label(self, pool: LabelPool, *, retry_failed: bool) -> None:
        """Label what is missing."""
        missing = []
        for key, recording in self._recordings.items():
            known = self._folder.known(key)
            if known is None or (known.error and retry_failed):
                messages = self._folder.messages_file(key) if self._messages else None
                missing.append(LabelTask(key, recording.path, messages))
            else:
                self._take(key, known)
        if self._results:
            note(f"{len(self._results)} of {len(self._recordings)} recordings were labelled before")
        heard_s = 0.0
        for done, (task, result) in enumerate(pool.results(missing, lambda: self._stopped), 1):
            self._folder.keep(task.key, result)
            self._take(task.key, result)
            heard_s += seconds_heard(result)
            self._tell(result, done, len(missing), heard_s)

    def finish(self, *, parquet: bool) -> None:
        """Write the tables of all.

        Raises:
            DataError: a recording failed, or it was stopped before all were labelled.
        """
        done = [self._results[key] for key in self._recordings if key in self._results]
        self._folder.combine(done, parquet=parquet)
        failed = sum(bool(result.error) for result in done)
        if len(done) < len(self._recordings):
            raise DataError(
                f"stopped: {len(done)} of {len(self._recordings)} recordings are labelled; the same command continues"
            )
        if failed:
            raise DataError(f"{failed} of {len(done)} recordings failed; {self._folder.path / 'files.csv'} says why")

    def _take(self, key: str, result: FileResult) -> None:
        self._results[key] = result
        self._folder.write(self._recordings[key], key, result, self._formats)

    def _tell(self, result: FileResult, done: int, count: int, heard_s: float) -> None:
        took_s = time.monotonic() - self._began_s
        if not sys.stdout.isatty():
            shares = result.annotation.shares if result.annotation else {}
            line = {"file": result.path, "duration_s": seconds_heard(result), "plays": shares, "error": result.error}
            print(msgspec.json.encode(line).decode(), flush=True)
            return
        plays = ", ".join(result.annotation.shares) if result.annotation else ""
        left_s = took_s / done * (count - done)
        print(
            f"{done}/{count}  {heard_s / 3600:.2f} h  {heard_s / took_s:.0f} x real time  {left_s:.0f} s left  "
            f"{printable(result.path)}: {printable(result.error) or plays or 'nobody plays'}",
            flush=True,
        )
