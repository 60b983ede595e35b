"""`whoplays prepare`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from whoplays.training.console import NOTES, check_at_least, counting
from whoplays.training.data.corpora import open_corpora, require_readable
from whoplays.training.data.library import Library


def prepare(
    out: Path,
    /,
    *,
    data: Annotated[list[Path], Parameter(negative=())],
    windows: int = 24_000,
    rooms: Path | None = None,
    seed: int = 20,
    workers: int = 1,
    cache: Path | None = None,
) -> None:
    """Prepare windows to train on; a folder that is there already is continued.

    Args:
        out: The folder to keep them in.
        data: Corpora to make them of; each counts alike. All of them: a run uses what its own --data lets it.
        windows: How many, rounded up to whole shards of 256.
        rooms: A folder of impulse responses.
        seed: Another seed gives other windows.
        workers: Processes to work in.
        cache: Where decoded audio is kept.
    """
    from whoplays.training.windows.build import BuildSpec, build  # noqa: PLC0415  torch takes seconds to load; a mistake should not

    check_at_least("windows", windows, 1)
    check_at_least("workers", workers, 1)
    check_at_least("seed", seed, 0)
    library = Library(cache)
    corpora = tuple(
        tuple(require_readable(corpus.clips(), library, "to prepare", [str(folder)]))
        for folder, corpus in zip(data, open_corpora(data), strict=True)
    )
    labels = tuple(sorted({label for corpus in corpora for clip in corpus for label in clip.labels}))
    build(out, BuildSpec(corpora, labels, cache, rooms, seed), windows, workers, counting("windows made"))
    given = " ".join(f"--data {folder}" for folder in data)
    command = f"whoplays train {given} --prepared {out} --out runs/mine"
    NOTES.print(f"{out} holds {windows} windows or more; train on it with: {command}")
