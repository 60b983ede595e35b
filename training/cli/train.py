"""`whoplays train`."""

import math
from pathlib import Path
from time import perf_counter
from typing import Annotated, Final, Literal

import msgspec
from cyclopts import Parameter

from whoplays.models.errors import OptionError
from whoplays.training import recipe as recipes
from whoplays.training.baselines import bases
from whoplays.training.console import NOTES
from whoplays.training.data.corpora import Material, gather, open_materials
from whoplays.training.data.library import Library
from whoplays.training.data.reading import needed, readable
from whoplays.training.data.splits import Splits
from whoplays.training.options import refuse_less
from whoplays.training.recipe import Recipe
from whoplays.training.run import Config, RunFolder, configure

_LARGEST_SEED: Final = 2**32 - 1


def train(
    recipe: str,
    *,
    data: Annotated[list[str], Parameter(negative=())],
    out: Path,
    epochs: int | None = None,
    epoch_windows: int | None = None,
    seed: int | None = None,
    trees: int | None = None,
    base: Path | None = None,
    bank: Annotated[list[Path] | None, Parameter(negative=())] = None,
    bank_windows: int | None = None,
    lesson_weight: float | None = None,
    accelerator: Literal["auto", "cpu", "gpu"] = "auto",
    threads: int = 1,
    cache: Path | None = None,
) -> None:
    """Train a recipe; a run that is there already is resumed.

    Args:
        recipe: Which recipe, such as solo-rawcnn.
        data: A corpus folder, split 60/20/20 by group; DIR@k/n holds out a fold of its sources, DIR@all nothing.
        out: The run folder.
        epochs: Instead of the recipe's.
        epoch_windows: Windows in one epoch, instead of the recipe's.
        seed: Instead of the recipe's.
        trees: Trees of a forest, instead of the recipe's.
        base: The run, or the tagger's weights, whose frozen features a transfer recipe learns from; for another recipe,
            a run to go on from. A run may not have heard what this one holds out.
        bank: Windows that were prepared with whoplays material, for a recipe that mixes bands; of several, all. Those
            made of recordings that this run may not hear are left out. Without it, a bank is made in the run folder.
        bank_windows: How many windows that bank has, instead of the recipe's.
        lesson_weight: How much it counts to foretell the teachers, instead of the recipe's.
        accelerator: Where to compute; forests and transfer recipes know but the CPU.
        threads: CPU threads to compute with.
        cache: Where decoded audio is kept.
    """
    refuse_less("threads", threads, 1)
    changes: dict[str, float | None] = {"epochs": epochs, "epoch_windows": epoch_windows, "seed": seed, "trees": trees}
    changes |= {"bank_windows": bank_windows, "lesson_weight": lesson_weight}
    chosen = _changed(recipes.find(recipe), {key: value for key, value in changes.items() if value is not None})
    of_bands: dict[str, object] = {"--bank": bank, "--bank-windows": bank_windows, "--lesson-weight": lesson_weight}
    _check_used(chosen, of_bands, trees, accelerator)
    bases.check(chosen, base)
    materials = open_materials(data)
    _train(chosen, materials, Library(cache), RunFolder(out), base, accelerator, threads, bank or [])
    on = "" if RunFolder(out).config().test else " --data DIR"
    NOTES.print(f"trained; judge it with: whoplays evaluate {out}{on}")


def _train(
    recipe: Recipe,
    materials: list[Material],
    library: Library,
    run: RunFolder,
    base: Path | None,
    accelerator: str,
    threads: int,
    banks: list[Path],
) -> None:
    train, *others = gather(materials, recipe.seed)
    from whoplays.training.baselines.fit_features import learn  # noqa: PLC0415
    from whoplays.training.evaluate.report import refuse_judged  # noqa: PLC0415
    from whoplays.training.fit.checkpoints import has_ended  # noqa: PLC0415
    from whoplays.training.fit.trainer import check_accelerator, fit  # noqa: PLC0415
    from whoplays.training.report.plots import draw_curves  # noqa: PLC0415  torch takes seconds to load; a mistake should not
    from whoplays.training.windows.build import open_bank, refuse_unheard, with_banks  # noqa: PLC0415

    check_accelerator(accelerator)
    if banks:
        refuse_unheard({each.text: each.splits(recipe.seed).train for each in materials}, banks)
    data = tuple(each.text for each in materials)
    splits = Splits(needed(train, library, "to train on", data), *(readable(clips, library) for clips in others))
    config = with_banks(configure(recipe, data, splits, base), banks)
    _check_begun(run, config)
    if not has_ended(run, config):
        refuse_judged(run)
    run.write_config(config)
    NOTES.print(f"{recipe.name}: {len(splits.train)} clips to train on, {len(splits.validation)} to validate with")
    begun = perf_counter()
    bank = open_bank(recipe, splits.train, library, run, banks) if recipe.material == "band" else None
    opened_s = perf_counter() - begun if bank else 0.0
    if recipe.hears_once:
        learn(recipe, splits, library, run, base, threads=threads)
    else:
        start = RunFolder(base) if base else None
        fit(
            recipe,
            splits,
            library,
            run,
            accelerator=accelerator,
            threads=threads,
            bank=bank,
            base=start,
            prepared_s=opened_s,
        )
    draw_curves(run)


def _check_used(recipe: Recipe, of_bands: dict[str, object], trees: int | None, accelerator: str) -> None:
    """Refuse what the recipe would not look at."""
    given = next((option for option, value in of_bands.items() if value is not None), None)
    if given and recipe.material != "band":
        raise OptionError(f"{recipe.name} mixes no bands; leave out {given}")
    if trees is not None and not recipe.is_forest:
        raise OptionError(f"{recipe.name} grows no trees; leave out --trees")
    if accelerator == "gpu" and recipe.hears_once:
        raise OptionError(f"{recipe.name} is computed on the CPU alone; leave out --accelerator gpu")


def _changed(recipe: Recipe, changes: dict[str, float]) -> Recipe:
    for key, value in changes.items():
        refuse_less(key.replace("_", "-"), value, 0 if key in {"seed", "lesson_weight"} else 1)
    if changes.get("seed", 0) > _LARGEST_SEED:
        raise OptionError(f"--seed must be {_LARGEST_SEED} or less, not {changes['seed']}")
    if math.isnan(changes.get("lesson_weight", 0)):
        raise OptionError("--lesson-weight must be 0 or more, not nan")
    return msgspec.structs.replace(recipe, **changes)


def _check_begun(run: RunFolder, config: Config) -> None:
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
