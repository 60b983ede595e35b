"""Learning from features that are heard once: a forest, or a head on frozen features."""

from pathlib import Path

from whoplays.training.learning.bases import needed
from whoplays.training.learning.grow import grow
from whoplays.training.learning.tagger import Tagger
from whoplays.training.learning.teach import teach
from whoplays.training.recipe import Recipe
from whoplays.training.recordings.library import Library
from whoplays.training.recordings.splits import Splits
from whoplays.training.run import RunFolder


def learn(
    recipe: Recipe, splits: Splits, library: Library, run: RunFolder, base: Path | None, *, threads: int
) -> Tagger:
    """Grow a forest or teach a head, and keep it as the run's checkpoint.

    Raises:
        DataError: the splits hold too little for the recipe, or the base is of another kind or has heard too much.
        OptionError: a base is missing.
    """
    if recipe.is_forest:
        return grow(recipe, splits, library, run, threads=threads)
    return teach(recipe, splits, library, run, needed(recipe, base), threads=threads)
