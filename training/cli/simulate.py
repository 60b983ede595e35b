"""`whoplays simulate`."""

from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from whoplays.models.errors import OptionError
from whoplays.training.console import NOTES, check_at_least
from whoplays.training.data.clip import Clip
from whoplays.training.data.corpora import open_corpora, readable
from whoplays.training.data.library import Library
from whoplays.training.run import RunFolder
from whoplays.training.simulate.concert import Simulator, refuse_other_index, write_concerts


def simulate(
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
    """Simulate concerts of recordings: instruments enter and leave, and an index.csv says when.

    Args:
        folder: Where the concerts are written.
        data: Corpora of solos and of other sounds.
        run: A run folder: what it was trained on is left out.
        count: How many concerts.
        minutes: How long each is, about.
        seed: Another seed gives other concerts.
        cache: Where decoded audio is kept.
    """
    if count < 1 or not 0.5 <= minutes <= 60:
        raise OptionError("--count must be 1 or more, and --minutes between 0.5 and 60")
    check_at_least("seed", seed, 0)
    refuse_other_index(folder / "index.csv")
    clips, labels = _held_out([clip for corpus in open_corpora(data) for clip in corpus.clips()], run)
    library = Library(cache)
    good = readable(clips, library)
    simulator = Simulator(library, good, labels)
    concerts = (simulator.concert(60 * minutes, np.random.default_rng([seed, number])) for number in range(count))
    write_concerts(folder, concerts, " and ".join(sorted({clip.licence for clip in good})))
    NOTES.print(f"{count} concerts of {len(good)} recordings in {folder}")


def _held_out(clips: list[Clip], run: Path | None) -> tuple[list[Clip], tuple[str, ...]]:
    """What a run was not trained on, and its labels; everything and every label where there is no run."""
    if run is None:
        return clips, tuple(sorted({label for clip in clips for label in clip.labels}))
    config = RunFolder(run).config()
    seen = config.seen
    return [clip for clip in clips if clip.group not in seen], config.recipe.labels
