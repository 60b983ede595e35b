"""What a transfer recipe learns from: the frozen features of a run, or of a published tagger."""

from pathlib import Path
from typing import NamedTuple

from whoplays.models.errors import DataError
from whoplays.training.baselines.transfer import Transfer
from whoplays.training.data.splits import Splits, refuse_heard
from whoplays.training.fit.checkpoints import load
from whoplays.training.fit.tagger import Tagger
from whoplays.training.networks.efficientat import EfficientATFeatures
from whoplays.training.recipe import Recipe
from whoplays.training.run import RunFolder
from whoplays.training.taggers.efficientat import load_tagger


class Frozen(NamedTuple):
    """A network with features that are known and a head that has learnt nothing."""

    tagger: Tagger
    network: Transfer
    weights: Path
    """Where the features' weights are from."""


def frozen(recipe: Recipe, splits: Splits, base: Path) -> Frozen:
    """The recipe's network on the features of `base`: a run, or the file of a tagger's weights.

    Raises:
        DataError: `base` is of another recipe or no such file, or has heard what this run keeps for judging.
    """
    tagger = Tagger(recipe).eval()
    network = tagger.network
    if not isinstance(network, Transfer):
        raise DataError(f"recipe {recipe.name} has no frozen features")
    if isinstance(network.base, EfficientATFeatures):
        network.base.features.load_state_dict(load_tagger(base).features.state_dict())
        return Frozen(tagger, network, base)
    return Frozen(tagger, network, _of_run(recipe, splits, RunFolder(base), network))


def _of_run(recipe: Recipe, splits: Splits, base: RunFolder, network: Transfer) -> Path:
    """Take over a run's features; return its checkpoint."""
    config = base.config()
    if config.recipe.name != recipe.base:
        raise DataError(
            f"{recipe.name} learns from a run of {recipe.base}; {base.folder} is one of {config.recipe.name}"
        )
    refuse_heard(config.heard, splits, base.folder)
    weights = base.best_checkpoint()
    heard = load(config.recipe, weights).network.state_dict()
    try:
        network.base.load_state_dict({name: heard[name] for name in network.base.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise DataError(
            f"{base.folder} is of another network than {recipe.name} learns from; train it again"
        ) from error
    return weights
