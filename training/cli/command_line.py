"""What was typed, as it can be printed: a command that anyone can type again, without the folders of this machine."""

import shlex
from pathlib import Path

from whoplays.training.data.corpora import folder_and_share


def evaluate_command(
    judged: list[str],
    data: list[Path],
    against: list[str],
    peers: list[str],
    *,
    flags: dict[str, bool],
    paths: dict[str, Path | None],
) -> str:
    """The `whoplays evaluate` that was typed.

    Args:
        flags: which options without a value were given.
        paths: options that name a file or folder.
    """
    words = ["whoplays", "evaluate", *map(shown, judged)]
    words += _several("--data", [shown(str(path)) for path in data])
    words += _several("--against", ["+".join(map(shown, text.split("+"))) for text in against])
    words += _several("--peer", [f"{name}={shown(path)}" for name, _, path in (text.partition("=") for text in peers)])
    words += [f"--{flag}" for flag, given in flags.items() if given]
    return shlex.join(words + _paths(paths))


def table_command(data: list[str], judge: list[Path], only: list[str], paths: dict[str, Path | None]) -> str:
    """The `whoplays table` that was typed."""
    shares = [folder_and_share(text) for text in data]
    words = ["whoplays", "table", *_several("--data", [shown(folder) + share for folder, share in shares])]
    words += _several("--judge", [shown(str(path)) for path in judge])
    words += _several("--only", only)
    return shlex.join(words + _paths(paths))


def shown(path: str) -> str:
    """A path as typed; of an absolute one, or one that leads upwards, the last name only."""
    leads_away = Path(path).is_absolute() or ".." in Path(path).parts
    return Path(path).resolve().name if leads_away else path


def _paths(paths: dict[str, Path | None]) -> list[str]:
    return [word for option, path in paths.items() if path for word in (f"--{option}", shown(str(path)))]


def _several(option: str, values: list[str]) -> list[str]:
    return [word for value in values for word in (option, value)]
