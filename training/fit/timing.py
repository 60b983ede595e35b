"""How long a run took (`timing.json`): on the machine it ran on, beside whatever else ran there."""

from pathlib import Path

import msgspec

from whoplays.models.errors import DataError
from whoplays.training.run import RunFolder, write_json


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of one run."""

    prepare_s: float = 0.0
    """Before the first epoch: hearing features that are kept, or opening a bank, which may have to be made."""
    epoch_s: float
    """One epoch, on average; of a forest, growing all of it."""


def keep_timing(run: RunFolder, timing: Timing) -> None:
    """Write a run's timing into its folder."""
    write_json(_path(run), timing)


def timing_of(run: RunFolder) -> Timing | None:
    """A run's timing; None of one that has not ended.

    Raises:
        DataError: `timing.json` holds anything else.
    """
    if not _path(run).is_file():
        return None
    try:
        return msgspec.json.decode(_path(run).read_bytes(), type=Timing)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{_path(run)} holds no timing ({error}); delete it") from error


def _path(run: RunFolder) -> Path:
    return run.folder / "timing.json"
