"""Averaging the weights of runs that went on from one another: one network that hears new players better than each."""

from collections.abc import Sequence

import msgspec
import torch
from torch import Tensor

from models.errors import DataError, OptionError
from training.cached import keep_checkpoint
from training.fit import load
from training.learn import hears_once
from training.run import Config, RunFolder
from training.tagger import Tagger


def average(runs: Sequence[RunFolder], out: RunFolder) -> None:
    """Write a run whose network has the mean of the runs' weights, and which has heard what any of them has.

    What they learnt of teachers is left out: lessons are scaled by each run's own banks.

    Raises:
        DataError: the runs have no checkpoint, or are of different networks or labels.
        OptionError: there are too few, or `out` holds something already.

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization" (UAI 2018).
    """
    if len({run.folder.resolve() for run in runs}) < 2:
        raise OptionError("name two different runs or more to average")
    if out.folder.exists():
        raise OptionError(f"{out.folder} is there already; choose another --out")
    configs = [run.config() for run in runs]
    for run, config in zip(runs, configs, strict=True):
        _check_alike(run, config, configs[0])
    taggers = [load(config.recipe, run.best_checkpoint()) for run, config in zip(runs, configs, strict=True)]
    out.write_config(_of_all(configs, runs))
    keep_checkpoint(_mean(taggers), out)


def _check_alike(run: RunFolder, config: Config, first: Config) -> None:
    if hears_once(config.recipe):
        raise DataError(f"{run.folder} is of {config.recipe.name}, whose weights mean nothing on average")
    if (config.recipe.network, config.recipe.labels) != (first.recipe.network, first.recipe.labels):
        raise DataError(f"{run.folder} is of another network or other labels than the runs before it")


def _of_all(configs: Sequence[Config], runs: Sequence[RunFolder]) -> Config:
    """The last run's configuration, that has heard all that any has and may be asked what all of them may."""
    heard = frozenset[str]().union(*(config.heard for config in configs))
    asked = frozenset.intersection(*(frozenset(config.test) for config in configs)) - heard
    return msgspec.structs.replace(
        configs[-1],
        base=" + ".join(str(run.folder) for run in runs),
        data=tuple(dict.fromkeys(text for config in configs for text in config.data)),
        teachers=tuple(sorted({name for config in configs for name in config.teachers})),
        music=tuple(sorted({song for config in configs for song in config.music})),
        banks=tuple(dict.fromkeys(bank for config in configs for bank in config.banks)),
        train=tuple(sorted(heard)),
        validation=(),
        test=tuple(sorted(asked)),
    )


def _mean(taggers: Sequence[Tagger]) -> Tagger:
    """The last network with the mean of all weights; of what only counts, such as batches seen, its own."""
    averaged = taggers[-1]
    states = [tagger.state_dict() for tagger in taggers]
    averaged.load_state_dict({name: _mean_of([state[name] for state in states]) for name in states[-1]})
    return averaged


def _mean_of(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean(dim=0) if values[-1].is_floating_point() else values[-1]
