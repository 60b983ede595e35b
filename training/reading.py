"""What of some recordings can be read; what cannot is named to the user."""

from collections.abc import Iterable

from rich.console import Console

from training.clip import Clip
from training.library import Library

_CONSOLE = Console(stderr=True)


def readable(clips: Iterable[Clip], library: Library) -> list[Clip]:
    """Leave out what cannot be read, naming each file and counting them."""
    asked = list(clips)
    good, skipped = library.readable(asked)
    for path, reason in skipped:
        # No markup: IRMAS has names such as [gac][pop_roc]0571__1.wav.
        _CONSOLE.print(f"skipped {path}: {reason}", markup=False, highlight=False, soft_wrap=True)
    if skipped:
        _CONSOLE.print(f"skipped {len(skipped)} of {len(asked)} files")
    return good
