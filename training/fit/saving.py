"""Files that torch writes."""

from pathlib import Path

import torch


def save(what: dict[str, object], path: Path) -> None:
    """As torch does, but a full disk is told as an error of the system.

    Raises:
        OSError: it cannot be written.
    """
    try:
        torch.save(what, path)
    except RuntimeError as error:
        raise OSError(" ".join(str(error).split())) from error
