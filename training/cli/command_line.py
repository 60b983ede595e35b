"""What was typed, as it can be printed: a command that anyone can type again, without the folders of this machine."""

import shlex
from pathlib import Path

from whoplays.training.data.corpora import folder_and_share


def typed(verb: str, words: list[str], **options: object) -> str:
    """A `whoplays` command.

    Args:
        words: what stands before the options.
        options: by name, with `_` for `-`. A list gives its option once for each value, True gives it without a value;
            False, None and an empty list leave it out.
    """
    parts = ["whoplays", verb, *words]
    for name, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            if each is not None and each is not False:
                parts.append(f"--{name.replace('_', '-')}")
            if isinstance(each, str | Path):
                parts.append(shown(each) if isinstance(each, Path) else each)
    return shlex.join(parts)


def shown(path: str | Path) -> str:
    """A path as typed; of an absolute one, or one that leads upwards, the last name only."""
    leads_away = Path(path).is_absolute() or ".." in Path(path).parts
    return Path(path).resolve().name if leads_away else str(path)


def shown_share(text: str) -> str:
    """A corpus folder as typed, with the share of it that is given."""
    folder, share = folder_and_share(text)
    return shown(folder) + share
