"""What training begins with: the weights of a published tagger, of a model that ships, or of another run."""

from pathlib import Path
from typing import Final, NamedTuple

from whoplays.models import catalogue
from whoplays.models.card import Corpus, ModelCard, read_card
from whoplays.models.errors import DataError, ModelError, OptionError
from whoplays.models.labels import NAMES
from whoplays.training.data.corpora import open_share
from whoplays.training.recipes import EFFICIENTAT, Recipe
from whoplays.training.run import RunFolder

WEIGHTS: Final = "weights.safetensors"
"""A network's weights, beside the graph in a model's folder."""


class Base(NamedTuple):
    """A network that has learnt already."""

    name: str
    """What a run's configuration calls it: of a tagger or a model its name, of a run its folder."""
    weights: Path
    """The file that holds them."""
    labels: tuple[str, ...]
    """What it knows, in the order of its outputs; of a tagger, every label of the vocabulary."""
    corpora: tuple[Corpus, ...] = ()
    """What it was trained on, where its name does not say it."""
    seen: frozenset[str] = frozenset()
    """Groups that it was trained on, where that is known."""
    card: ModelCard | None = None
    """Of a model."""

    @property
    def is_tagger(self) -> bool:
        """Whether it is a published tagger, with classes of its own."""
        return self.name == EFFICIENTAT


def find_base(recipe: Recipe, text: str | None) -> Base | None:
    """What a recipe begins with, before anything is read or computed; None where it begins with nothing.

    Args:
        text: a file of a tagger's weights, a run folder, or a model by its name or folder.

    Raises:
        DataError: it holds no weights, or not those that the recipe asks for.
        ModelError: there is no such model.
        OptionError: it is missing, or not used.
    """
    if text is None:
        if recipe.keeps_labels:
            raise OptionError(
                f"{recipe.name} begins from a model or a run: name one with --base, such as --base default"
            )
        if recipe.base == EFFICIENTAT:
            instead = "; or teach a model that ships, with --base default" if recipe.network == "frame-tagger" else ""
            raise OptionError(f"{recipe.name} begins from {recipe.base}: name its weights with --base FILE.pt{instead}")
        if recipe.base is not None:
            raise OptionError(f"{recipe.name} uses the features of a run of {recipe.base}: name one with --base RUN")
        return None
    if recipe.is_forest:
        raise OptionError(f"{recipe.name} is fitted to recordings alone, not to a run; leave out --base")
    path = Path(text)
    if (path / "config.json").is_file():
        return _run(RunFolder(path))
    if recipe.base == EFFICIENTAT and (path.is_file() or path.suffix == ".pt"):
        from whoplays.training.networks.efficientat import read_weights  # noqa: PLC0415  torch takes seconds to load

        read_weights(path)
        return Base(EFFICIENTAT, path, NAMES)
    return _model(text)


def _run(run: RunFolder) -> Base:
    config = run.config()
    return Base(
        str(run.folder),
        run.best_checkpoint(),
        config.recipe.labels,
        (*config.base_corpora, *(corpus for text in config.data for corpus in _corpora(text))),
        config.seen,
    )


def _corpora(text: str) -> set[Corpus]:
    """What is in a corpus that a run was trained on, by source."""
    try:
        return {Corpus(name=clip.source, licence=clip.licence) for clip in open_share(text).corpus.clips()}
    except DataError:
        return {Corpus(name=f"{text} (not found again)", licence="not known")}


def _model(text: str) -> Base:
    try:
        folder = catalogue.folder_of(text)
    except ModelError as error:
        raise DataError(f"{text} is not a run: it holds no config.json; nor is it a model: {error}") from error
    card = read_card(folder)
    if not (folder / WEIGHTS).is_file():
        raise DataError(
            f"{folder} holds no {WEIGHTS}, of the network only its graph; give --base default, or export its run again"
        )
    return Base(card.name, folder / WEIGHTS, card.labels, card.corpora, card=card)
