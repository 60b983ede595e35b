"""`whoplays baselines`: the table of the original project by one command."""

from pathlib import Path
from typing import Annotated, Any, NamedTuple

from cyclopts import Parameter

from whoplays.models.errors import OptionError
from whoplays.training import recipes
from whoplays.training.base import find_base
from whoplays.training.baselines.rows import ROWS, Row
from whoplays.training.cli.command_line import shown_share, typed
from whoplays.training.cli.train import train
from whoplays.training.console import NOTES, check_at_least
from whoplays.training.data.corpora import gather, open_corpus, open_shares, require_readable
from whoplays.training.data.library import Library
from whoplays.training.files import atomic_write
from whoplays.training.recipes import EFFICIENTAT
from whoplays.training.report.page import BASELINES, BASELINES_BEFORE, refuse_another
from whoplays.training.run import RunFolder


def baselines(
    *,
    data: Annotated[list[str], Parameter(negative=())],
    runs: Path,
    out: Path,
    judge: Annotated[list[Path] | None, Parameter(negative=())] = None,
    only: Annotated[list[str] | None, Parameter(negative=())] = None,
    efficientat: Path | None = None,
    report: Path | None = None,
    threads: int = 1,
    cache: Path | None = None,
) -> None:
    """Make the original project's table: train each row, or take the run that is there, and evaluate all alike.

    Args:
        data: Corpora to train on, split 60/20/20 by group; the rows are evaluated on the test split.
        runs: The folder of the rows' runs, each in a folder of the row's name; what is there is not trained again.
        out: Where reports and confusion matrices are kept, a folder for each row.
        judge: Further corpora to evaluate on.
        only: A row to make; may be given several times. All of them unless given.
        efficientat: The weights of EfficientAT mn04, for the row that learns from its features; without them, and where
            there is no run of it, that row is left out.
        report: A Markdown page to write; it grows with every row.
        threads: CPU threads to compute with.
        cache: Where decoded audio is kept.
    """
    check_at_least("threads", threads, 1)
    if efficientat:
        find_base(recipes.find("transfer-efficientat"), str(efficientat))
    if report:
        refuse_another(report, BASELINES, BASELINES_BEFORE)
    rows = _rows(only or [], runs, efficientat)
    library = Library(cache)
    splits = gather(open_shares(data), recipes.find(ROWS[0].recipe).seed)
    clips = [("test split", splits.test), *((path.resolve().name, open_corpus(path).clips()) for path in judge or ())]
    from whoplays.training.baselines.table import Made, make_table  # noqa: PLC0415  torch takes seconds to load
    from whoplays.training.baselines.table_page import page  # noqa: PLC0415
    from whoplays.training.evaluate.plan import Recordings  # noqa: PLC0415

    recordings = [Recordings(name, require_readable(each, library, "to evaluate on", [name])) for name, each in clips]
    training = _Training(data, runs, efficientat, threads, cache)
    command = typed(
        "baselines",
        [],
        data=[shown_share(text) for text in data],
        judge=judge or [],
        only=only or [],
        efficientat=efficientat,
        runs=runs,
        out=out,
        report=report,
    )
    made: list[Made] = []
    for one in make_table(rows, runs, training.train, recordings, library, out, threads):
        made.append(one)
        NOTES.print(f"{one.row.name}: evaluated")
        if report:
            with atomic_write(report) as unfinished:
                unfinished.write_text(page(made, command), encoding="utf-8")
    if not report:
        print(page(made, command))


class _Training(NamedTuple):
    """What all rows are trained with."""

    data: list[str]
    runs: Path
    efficientat: Path | None
    threads: int
    cache: Path | None

    def train(self, row: Row, run: RunFolder) -> None:
        """As `whoplays train` would; a run that was cut off goes on with its own settings."""
        begun = run.config().recipe if run.last_checkpoint.is_file() else None
        changes: dict[str, Any] = {
            name: getattr(begun, name) if begun else value for name, value in row.changes.items()
        }
        base = self._base(row)
        train(row.recipe, data=self.data, out=run.folder, base=base, threads=self.threads, cache=self.cache, **changes)

    def _base(self, row: Row) -> str | None:
        if row.base == EFFICIENTAT:
            return str(self.efficientat) if self.efficientat else None
        return str(self.runs / row.base) if row.base else None


def _rows(only: list[str], runs: Path, efficientat: Path | None) -> list[Row]:
    unknown = set(only) - {row.name for row in ROWS}
    if unknown:
        raise OptionError(f"--only {min(unknown)} not found; there are: {', '.join(row.name for row in ROWS)}")
    chosen = [row for row in ROWS if not only or row.name in only]
    made = [row for row in chosen if row.base != EFFICIENTAT or efficientat or _is_there(runs / row.name)]
    for row in chosen:
        if row not in made:
            NOTES.print(f"{row.name}: left out; name the weights it learns from with --efficientat FILE.pt")
    if not made:
        raise OptionError("no row is left to make; name more with --only, or the weights with --efficientat FILE.pt")
    return made


def _is_there(run: Path) -> bool:
    return RunFolder(run).last_checkpoint.is_file()
