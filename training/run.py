"""A run folder: what was trained, on what, and what came of it.

runs/<name>/
  config.json         the recipe as run, the corpora, and which groups each split holds
  checkpoints/        last.ckpt, and the best by validation loss
  log/metrics.csv     every epoch's losses; log1/, log2/ and so on since the run was resumed
  metrics.json        what evaluations found
  *.png               curves and confusion matrices
"""

from pathlib import Path

import msgspec

from whoplays.models.errors import DataError
from whoplays.training.data.clip import Clip
from whoplays.training.data.splits import Splits
from whoplays.training.recipe import EFFICIENTAT, Recipe
from whoplays.training.whole import whole


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The exact configuration of a run (`config.json`)."""

    recipe: Recipe
    data: tuple[str, ...]
    """As given on the command line."""
    base: str | None = None
    """The run, or the tagger, whose frozen features were learnt from, or whose network was gone on from, if any."""
    teachers: tuple[str, ...] = ()
    """Whose judgement of windows was foretold, if anyone's."""
    music: tuple[tuple[str, str], ...] = ()
    """Unlabelled recordings that were heard, by name and licence."""
    banks: tuple[str, ...] = ()
    """Fingerprints of the banks that bands were mixed from; none where the run made its own."""
    train: tuple[str, ...]
    """Groups heard in training."""
    validation: tuple[str, ...]
    """Groups that decided which checkpoint is the best, where they hold every label."""
    test: tuple[str, ...]
    """Groups kept for judging."""

    @property
    def heard(self) -> frozenset[str]:
        """Groups that the run may not be asked about."""
        return frozenset((*self.train, *self.validation))


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


def write_json(path: Path, value: object) -> None:
    """Write any message or mapping as indented JSON; an earlier file stands until all is written.

    Raises:
        DataError: it cannot be written.
    """
    with whole(path) as unfinished:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def groups(clips: list[Clip]) -> tuple[str, ...]:
    """The groups of clips, sorted."""
    return tuple(sorted({clip.group for clip in clips}))


def _named(recipe: Recipe, base: Path | None) -> str | None:
    """A tagger by its name, wherever its weights are; a run by its folder."""
    if base is None:
        return None
    return EFFICIENTAT if recipe.base == EFFICIENTAT else str(base)


def configure(recipe: Recipe, data: tuple[str, ...], splits: Splits, base: Path | None = None) -> Config:
    """The configuration of a run over these splits.

    Args:
        base: the run that it learns from or goes on from; what that one heard without labels, this one has learnt from.
            Or the weights of the tagger that it learns from, of which its name is kept.

    Raises:
        DataError: `base` is not a run.
    """
    train, validation, test = (groups(part) for part in splits)
    before = RunFolder(base).config() if base and recipe.base != EFFICIENTAT else None
    return Config(
        recipe=recipe,
        data=data,
        base=_named(recipe, base),
        teachers=before.teachers if before else (),
        music=before.music if before else (),
        train=train,
        validation=validation,
        test=test,
    )
