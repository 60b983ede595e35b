"""What a run may start from, as `--base` names it: another run, or the weights of a published tagger."""

from pathlib import Path

from whoplays.models.errors import DataError, OptionError
from whoplays.training.recipe import EFFICIENTAT, Recipe
from whoplays.training.run import RunFolder


def needed(recipe: Recipe, base: Path | None) -> Path:
    """The base of a transfer recipe.

    Raises:
        OptionError: there is none.
    """
    if base is not None:
        return base
    if recipe.base == EFFICIENTAT:
        raise OptionError(f"{recipe.name} learns from what {recipe.base} hears: name its weights with --base FILE.pt")
    raise OptionError(f"{recipe.name} learns from what a run of {recipe.base} hears: name one with --base RUN")


def check(recipe: Recipe, base: Path | None) -> None:
    """See that there is a base if and only if the recipe has a use for one, before anything is read or computed.

    Raises:
        DataError: the base is no run, or one without a checkpoint, or not the file of weights that the recipe asks for.
        OptionError: it is missing, or of no use.
    """
    if recipe.base is not None:
        needed(recipe, base)
    if base is None:
        return
    if recipe.is_forest:
        raise OptionError(f"{recipe.name} learns from recordings alone, not from a run; leave out --base")
    if (base / "card.json").is_file():
        raise DataError(f"{base} is an exported model, of which only the graph is kept; --base takes a run folder")
    if recipe.base == EFFICIENTAT:
        from whoplays.training.taggers.efficientat import load_tagger  # noqa: PLC0415  torch takes seconds to load

        load_tagger(base)
    else:
        run = RunFolder(base)
        run.config()
        run.best_checkpoint()
