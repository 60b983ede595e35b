"""Learning from features that are heard once: a forest, or a head on frozen features."""

from pathlib import Path

from whoplays.training.baselines.bases import needed
from whoplays.training.baselines.fit_forest import grow
from whoplays.training.baselines.fit_head import teach
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits
from whoplays.training.fit.tagger import Tagger
from whoplays.training.recipe import Recipe
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
