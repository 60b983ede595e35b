"""How long a run took (`timing.json`): on the machine it ran on, beside whatever else ran there."""

from pathlib import Path

import msgspec

from models.errors import DataError
from training.run import RunFolder, write_json


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of one run."""

    prepare_s: float = 0.0
    """Before the first epoch: hearing features that are kept."""
    epoch_s: float
    """One epoch, on average; of a forest, growing all of it."""


def keep_timing(run: RunFolder, timing: Timing) -> None:
    """Write a run's timing into its folder."""
    write_json(_path(run), timing)


def timing_of(run: RunFolder) -> Timing | None:
    """A run's timing; of one that kept none, from its configuration to its last log, and None where these do not tell.

    Raises:
        DataError: `timing.json` holds anything else.
    """
    if _path(run).is_file():
        try:
            return msgspec.json.decode(_path(run).read_bytes(), type=Timing)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DataError(f"{_path(run)} holds no timing ({error}); delete it") from error
    if len(run.logs) != 1:
        return None
    (log,) = run.logs
    epochs = {line.split(",")[0] for line in log.read_text().splitlines()[1:]}
    spent_s = log.stat().st_mtime - run.config_path.stat().st_mtime
    return Timing(epoch_s=spent_s / len(epochs)) if epochs and spent_s > 0 else None


def _path(run: RunFolder) -> Path:
    return run.folder / "timing.json"
