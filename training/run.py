"""A run folder: what was trained, on what, and what came of it.

runs/<name>/
  config.json         the recipe as run, the corpora, and which groups each split holds
  checkpoints/        last.ckpt, and the best by validation loss
  log/metrics.csv     every epoch's losses; log1/, log2/ and so on since the run was resumed
  timing.json         how long it took
  metrics.json        what evaluations found
  *.png               curves and confusion matrices
"""

from pathlib import Path

import msgspec

from whoplays.models.card import Corpus
from whoplays.models.errors import DataError
from whoplays.training.data.clip import Clip
from whoplays.training.data.splits import Splits
from whoplays.training.files import write_json
from whoplays.training.recipes import Recipe


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The exact configuration of a run (`config.json`)."""

    recipe: Recipe
    data: tuple[str, ...]
    """As given on the command line."""
    base: str | None = None
    """The tagger, model or run that training began from, or whose frozen features were used, if any."""
    base_corpora: tuple[Corpus, ...] = ()
    """What the base was trained on, where its name does not say it."""
    base_groups: tuple[str, ...] = ()
    """Groups that the base was trained on, where this run need not know them."""
    prepared: tuple[str, ...] = msgspec.field(default=(), name="banks")
    """Fingerprints of the prepared windows that were given; none where the run made its own."""
    train: tuple[str, ...]
    """Groups trained on."""
    validation: tuple[str, ...]
    """Groups that decided which checkpoint is the best, where they hold every label."""
    test: tuple[str, ...]
    """Groups kept for testing."""

    @property
    def seen(self) -> frozenset[str]:
        """Groups that the run may not be tested on."""
        return frozenset((*self.train, *self.validation, *self.base_groups))


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of one run (`timing.json`): on the machine it ran on, beside whatever else ran there."""

    prepare_s: float = 0.0
    """Before the first epoch: computing features that are kept, or opening prepared windows, or making them."""
    epoch_s: float
    """One epoch, on average; of a forest, growing all of it."""


class RunFolder:
    """One run's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def config_path(self) -> Path:
        """Where the configuration is kept."""
        return self.folder / "config.json"

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints are kept."""
        return self.folder / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        """Written after every epoch; what a run resumes from."""
        return self.checkpoints / "last.ckpt"

    @property
    def logs(self) -> list[Path]:
        """What was logged by epoch, a file for each time that training was begun or resumed."""
        return sorted(self.folder.glob("log*/metrics.csv"))

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    def best_checkpoint(self) -> Path:
        """The checkpoint with the lowest validation loss, or the last one where nothing was validated.

        Raises:
            DataError: the run has no checkpoint yet.
        """
        best = self.checkpoints / "best.ckpt"
        chosen = best if best.is_file() else self.last_checkpoint
        if not chosen.is_file():
            raise DataError(
                f"{self.folder} has no checkpoint; train it first: whoplays train RECIPE --out {self.folder}"
            )
        return chosen

    def config(self) -> Config:
        """The configuration of the run.

        Raises:
            DataError: the folder is not a run.
        """
        try:
            return msgspec.json.decode(self.config_path.read_bytes(), type=Config)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DataError(f"{self.folder} is not a run: {error}") from error

    def write_config(self, config: Config) -> None:
        """Keep the configuration of the run.

        Raises:
            DataError: the folder cannot be written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{self.folder} cannot be a run folder: {error.strerror}") from error
        write_json(self.config_path, config)

    @property
    def _timing_path(self) -> Path:
        return self.folder / "timing.json"

    def timing(self) -> Timing | None:
        """How long the run took; None of one that has not ended.

        Raises:
            DataError: `timing.json` holds anything else.
        """
        if not self._timing_path.is_file():
            return None
        try:
            return msgspec.json.decode(self._timing_path.read_bytes(), type=Timing)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DataError(f"{self._timing_path} holds no timing ({error}); delete it") from error

    def write_timing(self, timing: Timing) -> None:
        """Keep how long the run took."""
        write_json(self._timing_path, timing)


def groups(clips: list[Clip]) -> tuple[str, ...]:
    """The groups of clips, sorted."""
    return tuple(sorted({clip.group for clip in clips}))


def configure(
    recipe: Recipe,
    data: tuple[str, ...],
    splits: Splits,
    base: str | None = None,
    base_corpora: tuple[Corpus, ...] = (),
) -> Config:
    """The configuration of a run over these splits.

    Args:
        base: the name of what it begins with, or whose features it uses.
        base_corpora: what that was trained on.
    """
    train, validation, test = (groups(part) for part in splits)
    return Config(
        recipe=recipe,
        data=data,
        base=base,
        base_corpora=base_corpora,
        train=train,
        validation=validation,
        test=test,
    )
