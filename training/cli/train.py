"""`whoplays train`."""

import sys
from pathlib import Path
from time import perf_counter
from typing import Annotated, Final, Literal

import msgspec
from cyclopts import Parameter
from rich.console import Console

from whoplays.models.errors import OptionError
from whoplays.training import recipes
from whoplays.training.base import Base, find_base
from whoplays.training.console import NOTES, check_at_least, counted
from whoplays.training.data.clip import Clip
from whoplays.training.data.corpora import CorpusShare, gather, open_shares, readable, require_readable
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits
from whoplays.training.recipes import Recipe
from whoplays.training.run import Config, RunFolder, configure

_LARGEST_SEED: Final = 2**32 - 1
_WIDTH: Final = 120


def train(
    recipe: str | None = None,
    *,
    data: Annotated[list[str], Parameter(negative=())],
    out: Path,
    epochs: int | None = None,
    epoch_windows: int | None = None,
    seed: int | None = None,
    trees: int | None = None,
    base: str | None = None,
    prepared: Annotated[list[Path] | None, Parameter(alias="--bank", negative=())] = None,
    prepared_windows: Annotated[int | None, Parameter(alias="--bank-windows")] = None,
    accelerator: Literal["auto", "cpu", "gpu"] = "auto",
    threads: int = 1,
    cache: Path | None = None,
) -> None:
    """Train a recipe; a run that is there already is resumed.

    Args:
        recipe: Which recipe. Unless named, fine-tune where --base is a model or a run, else band-mobilenet, the
            default's.
        data: A corpus folder, split 60/20/20 by group; DIR@k/n holds out a fold of its sources, DIR@all nothing.
        out: The run folder.
        epochs: Instead of the recipe's.
        epoch_windows: Windows in one epoch, instead of the recipe's.
        seed: Instead of the recipe's.
        trees: Trees of a forest, instead of the recipe's.
        base: What to begin from: a model (default, another name, or a folder), a run folder, or the file of a tagger's
            weights; for a transfer recipe, whose frozen features it uses. A run may not have been trained on what this
            one holds out.
        prepared: Windows from whoplays prepare, for a recipe that draws mixtures; of several folders, all. Those made
            of recordings that this run may not use are left out. Without it, they are prepared in the run folder.
        prepared_windows: How many windows to prepare in the run folder, instead of the recipe's.
        accelerator: Where to compute; forests and transfer recipes use the CPU alone.
        threads: CPU threads to compute with.
        cache: Where decoded audio is kept.
    """
    check_at_least("threads", threads, 1)
    changes = {"epochs": epochs, "epoch_windows": epoch_windows, "seed": seed, "trees": trees}
    changes["prepared_windows"] = prepared_windows
    chosen = _changed(
        recipes.find(recipe) if recipe else recipes.suited(base),
        {key: value for key, value in changes.items() if value is not None},
    )
    _refuse_unused(chosen, {"--prepared": prepared, "--prepared-windows": prepared_windows}, trees, accelerator)
    begun = find_base(chosen, base)
    shares = open_shares(data)
    _train(chosen, shares, Library(cache), RunFolder(out), begun, accelerator, threads, prepared or [])
    on = "" if RunFolder(out).config().test else " --data DIR"
    NOTES.print(f"trained; evaluate it with: whoplays evaluate {out}{on}")


def _train(
    recipe: Recipe,
    shares: list[CorpusShare],
    library: Library,
    run: RunFolder,
    base: Base | None,
    accelerator: str,
    threads: int,
    prepared: list[Path],
) -> None:
    train, *others = gather(shares, recipe.seed)
    from whoplays.training.evaluate.store import refuse_evaluated  # noqa: PLC0415
    from whoplays.training.fit.checkpoints import has_ended  # noqa: PLC0415
    from whoplays.training.fit.trainer import check_accelerator  # noqa: PLC0415
    from whoplays.training.report.plots import draw_curves  # noqa: PLC0415
    from whoplays.training.windows.build import refuse_unprepared  # noqa: PLC0415
    from whoplays.training.windows.shards import fingerprint  # noqa: PLC0415  torch takes seconds to load; a mistake should not

    check_accelerator(accelerator)
    if prepared:
        refuse_unprepared({each.text: each.splits(recipe.seed).train for each in shares}, prepared)
    data = tuple(each.text for each in shares)
    splits = Splits(
        require_readable(train, library, "to train on", data), *(readable(each, library) for each in others)
    )
    recipe = _with_labels(recipe, splits, base)
    config = configure(recipe, data, splits, base.name if base else None, base.corpora if base else ())
    if base and recipe.keeps_labels:
        config = msgspec.structs.replace(config, base_groups=tuple(sorted(base.seen)))
    config = msgspec.structs.replace(config, prepared=tuple(fingerprint(folder) for folder in prepared))
    _refuse_changed(run, config)
    if not has_ended(run, config):
        refuse_evaluated(run)
    run.write_config(config)
    NOTES.print(
        f"{recipe.name}: {counted(len(splits.train), 'clip')} to train on, {len(splits.validation)} to validate with"
    )
    _fit(recipe, splits, library, run, base, accelerator, threads, prepared)
    draw_curves(run)
    if recipe.keeps_labels and base and not base.is_tagger:
        _conclude(run, base, [*splits.validation, *splits.test], library, threads)


def _with_labels(recipe: Recipe, splits: Splits, base: Base | None) -> Recipe:
    """A recipe of mixtures with the labels of the data besides: any that plays alone in a recording to train on."""
    if recipe.examples != "band":
        return recipe
    known = base.labels if base and recipe.keeps_labels else recipe.labels
    alone = {label for clip in splits.train if len(clip.labels) == 1 for label in clip.labels}
    if alone and recipe.keeps_labels and not any(clip.labels != {min(alone)} for clip in splits.train):
        NOTES.print(f"every recording is of {min(alone)}: add others, or all that sounds like it will be named so")
    return msgspec.structs.replace(recipe, labels=(*known, *sorted(alone - set(known))))


def _conclude(run: RunFolder, base: Base, held_out: list[Clip], library: Library, threads: int) -> None:
    """Keep what the base's outputs are decided by, and say whether the run is better than the base."""
    from whoplays.training.evaluate.comparison import compare  # noqa: PLC0415
    from whoplays.training.evaluate.registry import Entries, find_models  # noqa: PLC0415
    from whoplays.training.evaluate.store import inherit_calibration, latest_thresholds  # noqa: PLC0415

    inherit_calibration(run, base)
    before = str(base.weights.parent) if base.card else base.name
    entries = Entries((str(run.folder),), (before,))
    thresholds = latest_thresholds([], run.config().recipe)
    after, earlier = find_models(entries, thresholds, "held out", held_out, threads)
    found = compare(after, earlier, held_out, library)
    if found is None:
        NOTES.print("nothing was held out: whether it is better is not known; leave out @all to find out")
        return
    console = Console(width=None if sys.stdout.isatty() else _WIDTH, markup=False, highlight=False)
    console.print(*found.table().drawn(console.width))
    console.print(found.verdict, soft_wrap=True)


def _fit(
    recipe: Recipe,
    splits: Splits,
    library: Library,
    run: RunFolder,
    base: Base | None,
    accelerator: str,
    threads: int,
    prepared: list[Path],
) -> None:
    """Fit trees, a head on frozen features, or a whole network; what is not asked for is not loaded."""
    if recipe.is_forest:
        from whoplays.training.baselines.fit_forest import fit_forest  # noqa: PLC0415

        fit_forest(recipe, splits, library, run, threads=threads)
    elif recipe.uses_cached_features and base:
        from whoplays.training.baselines.fit_head import fit_head  # noqa: PLC0415

        fit_head(recipe, splits, library, run, base, threads=threads)
    else:
        from whoplays.training.fit.trainer import fit  # noqa: PLC0415
        from whoplays.training.windows.build import open_windows  # noqa: PLC0415

        begun = perf_counter()
        windows = open_windows(recipe, splits.train, library, run, prepared) if recipe.examples == "band" else None
        fit(
            recipe,
            splits,
            library,
            run,
            accelerator=accelerator,
            threads=threads,
            prepared=windows,
            base=base,
            prepared_s=perf_counter() - begun if windows else 0.0,
        )


def _refuse_unused(recipe: Recipe, prepared: dict[str, object], trees: int | None, accelerator: str) -> None:
    """Refuse what the recipe would not look at."""
    given = next((option for option, value in prepared.items() if value is not None), None)
    if given and recipe.examples != "band":
        raise OptionError(f"{recipe.name} draws no mixtures; leave out {given}")
    if trees is not None and not recipe.is_forest:
        raise OptionError(f"{recipe.name} grows no trees; leave out --trees")
    if accelerator == "gpu" and recipe.uses_cached_features:
        raise OptionError(f"{recipe.name} is computed on the CPU alone; leave out --accelerator gpu")


def _changed(recipe: Recipe, changes: dict[str, int]) -> Recipe:
    for key, value in changes.items():
        check_at_least(key.replace("_", "-"), value, 0 if key == "seed" else 1)
    if changes.get("seed", 0) > _LARGEST_SEED:
        raise OptionError(f"--seed must be between 0 and {_LARGEST_SEED}, got {changes['seed']}")
    return msgspec.structs.replace(recipe, **changes)


def _refuse_changed(run: RunFolder, config: Config) -> None:
    """See that a run is resumed as it was begun.

    Save for its number of epochs, where the learning rate does not follow from it.
    """
    if not run.last_checkpoint.is_file():
        return
    begun = run.config()
    if not config.recipe.one_cycle:
        recipe = msgspec.structs.replace(begun.recipe, epochs=config.recipe.epochs)
        begun = msgspec.structs.replace(begun, recipe=recipe)
    if begun != config:
        raise OptionError(f"{run.folder} was begun with other settings ({run.config_path}); choose another --out")
