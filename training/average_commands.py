"""`whoplays average`."""

from pathlib import Path

from rich.console import Console

_CONSOLE = Console(stderr=True)


def average(runs: list[Path], /, *, out: Path) -> None:
    """Make a run of the mean of several runs' weights, where each went on from the one before (train --base).

    Args:
        runs: Run folders in their order, two or more; the new one takes the settings of the last.
        out: The new run folder.
    """
    from training import average as averaging  # noqa: PLC0415  torch takes seconds to load; a mistake should not
    from training.run import RunFolder  # noqa: PLC0415

    averaging.average([RunFolder(path) for path in runs], RunFolder(out))
    told = f"averaged; judge it with: whoplays evaluate {out} --data DIR"
    _CONSOLE.print(told, markup=False, highlight=False, soft_wrap=True)
