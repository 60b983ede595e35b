"""Where commands say what they are doing: on standard error, names of files and sources as they are."""

from typing import Final

from rich.console import Console

# No markup: IRMAS has names such as [gac][pop_roc]0571__1.wav.
NOTES: Final = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
