"""`whoplays concerts`."""

import csv
import re
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import soundfile
from cyclopts import Parameter

from whoplays.models.errors import DataError, OptionError
from whoplays.models.labels import NAMES
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.training.console import NOTES, check_at_least
from whoplays.training.data.clip import Clip
from whoplays.training.data.corpora import open_corpora, readable
from whoplays.training.data.library import Library
from whoplays.training.files import atomic_write
from whoplays.training.run import RunFolder
from whoplays.training.simulate.concert import Concert, Players

_COLUMNS: Final = ("path", "labels", "group", "source", "licence", "start_s", "end_s")
_NAME: Final = re.compile(r"concert\d+\.flac")


def concerts(
    folder: Path,
    /,
    *,
    data: Annotated[list[Path], Parameter(negative=())],
    run: Path | None = None,
    count: int = 8,
    minutes: float = 3.0,
    seed: int = 20,
    cache: Path | None = None,
) -> None:
    """Make concerts of recordings: instruments enter and leave, and an index.csv says when.

    Args:
        folder: Where the concerts are written.
        data: Corpora of solos and of other sounds.
        run: A run folder: what it has heard in training is left out.
        count: How many concerts.
        minutes: How long each is, about.
        seed: Another seed gives other concerts.
        cache: Where decoded audio is kept.
    """
    if count < 1 or not 0.5 <= minutes <= 60:
        raise OptionError("--count must be 1 or more, and --minutes from 0.5 to 60")
    check_at_least("seed", seed, 0)
    _refuse_others(folder / "index.csv")
    clips, labels = _unheard([clip for corpus in open_corpora(data) for clip in corpus.clips()], run)
    library = Library(cache)
    good = readable(clips, library)
    players = Players(library, good, labels)
    licences = " and ".join(sorted({clip.licence for clip in good}))
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for number in range(count):
        made = players.concert(60 * minutes, np.random.default_rng([seed, number]))
        rows += _rows(_write(folder, number, made), made, folder.resolve().name, licences)
    with atomic_write(folder / "index.csv") as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    NOTES.print(f"{count} concerts of {len(good)} recordings in {folder}")


def _unheard(clips: list[Clip], run: Path | None) -> tuple[list[Clip], tuple[str, ...]]:
    """What a run has not heard, and its labels; everything and every label where there is no run."""
    if run is None:
        return clips, tuple(NAMES)
    config = RunFolder(run).config()
    heard = config.seen
    return [clip for clip in clips if clip.group not in heard], config.recipe.labels


def _refuse_others(index: Path) -> None:
    """See that an index which would be written over is of concerts: what somebody wrote by hand is not made again.

    Raises:
        DataError: it lists anything else.
    """
    if not index.is_file():
        return
    try:
        names = [row.partition(",")[0] for row in index.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{index} cannot be read: {error}") from error
    if not all(name == _COLUMNS[0] or _NAME.fullmatch(name) for name in names):
        raise DataError(f"{index} lists other recordings than concerts; choose another folder for them")


def _write(folder: Path, number: int, made: Concert) -> str:
    name = f"concert{number + 1:02d}.flac"
    with atomic_write(folder / name) as unfinished:
        soundfile.write(unfinished, made.audio.T, SAMPLE_RATE_HZ)
    return name


def _rows(name: str, made: Concert, source: str, licences: str) -> list[tuple[str, ...]]:
    """One row for each appearance."""
    return [
        (name, part.label, f"{source}-{name}", source, licences, f"{part.start_s:.3f}", f"{part.end_s:.3f}")
        for part in made.parts
    ]
