"""What of some recordings can be read; what cannot is named to the user."""

from collections.abc import Iterable

from training.clip import Clip
from training.console import NOTES
from training.library import Library


def readable(clips: Iterable[Clip], library: Library) -> list[Clip]:
    """Leave out what cannot be read, naming each file and counting them."""
    asked = list(clips)
    good, skipped = library.readable(asked)
    for path, reason in skipped:
        NOTES.print(f"skipped {path}: {reason}")
    if skipped:
        NOTES.print(f"skipped {len(skipped)} of {len(asked)} files")
    return good
