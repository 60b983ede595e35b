"""The catalogue: the models that ship, by name, and the one that is used unless another is asked for."""

from pathlib import Path
from typing import Final

from whoplays.models.card import ModelCard, read_card
from whoplays.models.errors import ModelError

CATALOGUE: Final = Path(__file__).parent
DEFAULT: Final = "band-mobilenet"


def names() -> list[str]:
    """The names of all shipped models, sorted."""
    return sorted(path.parent.name for path in CATALOGUE.glob("*/card.json"))


def folder_of(name_or_path: str) -> Path:
    """The folder of a model given as `default`, a catalogue name, or a path to a folder with a card.

    Raises:
        ModelError: there is no such model.
    """
    name = DEFAULT if name_or_path == "default" else name_or_path
    if name in names():
        return CATALOGUE / name
    path, why = Path(name_or_path), ""
    try:
        if (path / "card.json").is_file():
            return path
        if path.is_dir():
            raise ModelError(f"{path} holds no card.json; give a folder that whoplays export made")
        if path.is_file():
            raise ModelError(f"{path} is a file; give the folder that whoplays export made, not the graph in it")
    except OSError as error:
        why = f" ({error.strerror})"
    raise ModelError(
        f"model {name_or_path!r} not found{why}; there are: {', '.join(names())}; a path to an export works too"
    )


def find(name_or_path: str = "default") -> tuple[Path, ModelCard]:
    """The graph's path and the card of a model, the two proven to belong together.

    Raises:
        ModelError: there is no such model, or its card and graph disagree.
    """
    folder = folder_of(name_or_path)
    return folder / "model.onnx", read_card(folder)
