"""What of some recordings can be read; what cannot is named to the user."""

from collections.abc import Iterable

from whoplays.models.errors import DataError
from whoplays.training.console import NOTES
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library


def readable(clips: Iterable[Clip], library: Library) -> list[Clip]:
    """Leave out what cannot be read, naming each file and counting them."""
    asked = list(clips)
    good, skipped = library.readable(asked)
    for path, reason in skipped:
        NOTES.print(f"skipped {path}: {reason}")
    if skipped:
        NOTES.print(f"skipped {len(skipped)} of {len(asked)} files")
    return good


def needed(clips: Iterable[Clip], library: Library, what_for: str, folders: Iterable[str]) -> list[Clip]:
    """What of them can be read, which must be something.

    Args:
        what_for: why they are needed, such as `to train on`.
        folders: what they were looked for in.

    Raises:
        DataError: nothing of it can be read.
    """
    good = readable(clips, library)
    if not good:
        raise DataError(f"there is nothing {what_for}: no recording in {', '.join(folders)} can be read")
    return good
