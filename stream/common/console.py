"""console."""

import sys
from contextlib import suppress


def note(text: str) -> None:
    """Tell people something beside the results, on standard error; where nobody can be told, all goes on."""
    with suppress(OSError):
        print(f"whoplays: {text}", file=sys.stderr)
