"""Averaging the weights that runs ended with, each gone on from the one before, as a run of its own."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec
import torch
from torch import Tensor

from models.errors import DataError, OptionError
from training.cached import keep_checkpoint
from training.fit import has_ended, load, weights
from training.learn import hears_once
from training.run import Config, RunFolder


def average(runs: Sequence[RunFolder], out: RunFolder) -> None:
    """Write a run whose network has the mean of the runs' weights, otherwise the last run's.

    Running means and variances are averaged as weights are. What was learnt of teachers is left out: lessons are scaled
    by each run's own banks.

    Raises:
        DataError: a run has no end yet, has not heard all that the one before has, or is of another network; or `out`
            cannot be written to.
        OptionError: there are too few, or `out` is a run already.

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization" (UAI 2018); Wortsman et
    al., "Model soups" (ICML 2022).
    """
    if len(runs) < 2 or len({run.folder.resolve() for run in runs}) < len(runs):
        raise OptionError("name two runs or more to average, each once")
    if out.config_path.exists() or out.last_checkpoint.exists():
        raise OptionError(f"{out.folder} is a run already; choose another --out")
    configs = [run.config() for run in runs]
    for run, config in zip(runs, configs, strict=True):
        _check_ended(run, config)
    for before, after in pairwise(range(len(runs))):
        _check_goes_on(runs[after], configs[after], runs[before], configs[before])
    states = [weights(run.best_checkpoint()) for run in runs]
    for run, state in zip(runs, states, strict=True):
        _check_alike(run, state, states[0])
    tagger = load(configs[-1].recipe, runs[-1].best_checkpoint())
    tagger.load_state_dict(_mean(states))
    keep_checkpoint(tagger, out)
    out.write_config(_of_all(configs, runs))


def _check_ended(run: RunFolder, config: Config) -> None:
    if hears_once(config.recipe):
        raise DataError(f"{run.folder} is of {config.recipe.name}, whose weights mean nothing on average")
    if run.last_checkpoint.is_file() and not has_ended(run, config.recipe):
        raise DataError(f"{run.folder} has not ended; train it to its end before averaging it")


def _check_goes_on(run: RunFolder, config: Config, before: RunFolder, earlier: Config) -> None:
    kind = (config.recipe.network, config.recipe.labels, config.recipe.task)
    if kind != (earlier.recipe.network, earlier.recipe.labels, earlier.recipe.task):
        raise DataError(f"{run.folder} is of another network, of other labels or of another task than {before.folder}")
    if not earlier.heard <= config.heard:
        raise DataError(
            f"{before.folder} has heard what {run.folder} has not; name runs in the order they went on from one another"
        )


def _check_alike(run: RunFolder, state: Mapping[str, Tensor], first: Mapping[str, Tensor]) -> None:
    if {name: value.shape for name, value in state.items()} != {name: value.shape for name, value in first.items()}:
        raise DataError(f"{run.folder} is of another network than the first run: one of them is of an earlier version")


def _of_all(configs: Sequence[Config], runs: Sequence[RunFolder]) -> Config:
    """The last run's configuration, with all that any has learnt from."""
    return msgspec.structs.replace(
        configs[-1],
        averaged=tuple(str(run.folder) for run in runs),
        teachers=tuple(sorted({name for config in configs for name in config.teachers})),
        music=tuple(sorted({song for config in configs for song in config.music})),
    )


def _mean(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each weight; of what only counts, such as batches seen, the last."""
    return {name: _mean_of([state[name] for state in states]) for name in states[-1]}


def _mean_of(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean(dim=0) if values[-1].is_floating_point() else values[-1]
