"""`whoplays export`: from a run to a model that can be listened with."""

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from whoplays.models import catalogue
from whoplays.models.errors import OptionError


def export(
    run: Path,
    /,
    *,
    name: str,
    version: str = "1.0.0",
    out: Annotated[Path, Parameter(show_default=False)] = catalogue.CATALOGUE,
    replace: Annotated[bool, Parameter(negative=())] = False,
    cache: Path | None = None,
) -> None:
    """Write models/NAME/{model.onnx,card.json,weights.safetensors} from a run, and prove that graph and network agree.

    Args:
        run: The run folder.
        name: What the model is called.
        version: Of the model, for its card.
        out: Where the model's folder is made, instead of the catalogue.
        replace: Write over a model of that name that is there already.
        cache: Where decoded audio is kept.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name):
        raise OptionError(f"--name {name!r}: use small letters, digits, '.', '_' and '-'")
    if not replace and any((out / name / file).exists() for file in ("card.json", "model.onnx")):
        raise OptionError(f"{out / name} holds a model already; give --replace to write over it, or another --name")
    from whoplays.export.package import package  # noqa: PLC0415  torch takes seconds to load; a wrong option should not
    from whoplays.training.data.library import Library  # noqa: PLC0415
    from whoplays.training.run import RunFolder  # noqa: PLC0415

    card, parity = package(RunFolder(run), name, version, out / name, Library(cache))
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"{out / name}: {card.parameters:,} parameters, {card.macs / 1e6:.1f} MMAC a window, opset {card.opset}"
    )
    console.print(
        f"parity with torch, largest difference: {parity.random:.1e} on noise, {parity.real:.1e} on recordings"
    )
