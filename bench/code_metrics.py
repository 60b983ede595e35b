"""How the source code is divided: `python -m whoplays.bench.code_metrics` (or `make metrics`) in a checkout.

Counted are modules, which are all files but an `__init__.py` that holds a docstring alone, and lines as `wc -l` counts.
"""

import ast
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Final, NamedTuple

from cyclopts import App, Parameter
from rich.console import Console

from whoplays.bench.hot_path import trace_hot_path
from whoplays.models.tables import Table

FOLDERS: Final = ("whoplays", "models", "stream", "training", "export", "bench")
SHORT_LINES: Final = 60
_ROOT: Final = Path(__file__).resolve().parents[1]


class Module(NamedTuple):
    """A file of Python, parsed."""

    path: Path
    lines: int
    body: list[ast.stmt]

    @property
    def is_package_marker(self) -> bool:
        """Whether it is an `__init__.py` without any code."""
        return self.path.name == "__init__.py" and all(
            isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) for each in self.body
        )

    @property
    def class_names(self) -> set[str]:
        """Names of its classes, wherever they stand in it."""
        return {each.name for outer in self.body for each in ast.walk(outer) if isinstance(each, ast.ClassDef)}


def count(
    tree: Path = _ROOT,
    *,
    hot_path: Annotated[bool, Parameter(negative=())] = False,
    junit: Path | None = None,
) -> None:
    """Print the counts of a checkout of whoplays.

    Args:
        tree: The checkout.
        hot_path: Run its `whoplays serve`, and count the modules between an RTP packet and a ZeroMQ message; the
            packages that it needs must be installed for this Python.
        junit: A file that `pytest --junitxml` wrote, to tell how long its tests took.
    """
    console = Console(highlight=False, soft_wrap=True)
    tree = tree.resolve()
    modules = {folder: found for folder in FOLDERS if (found := list(read_modules(tree, folder)))}
    table = count_modules(modules, list(read_modules(tree, "tests")))
    console.print(*table.drawn(console.width))
    for folder, found in modules.items():
        for name, paths in shared_class_names(found).items():
            console.print(f"{folder} has {name} in {', '.join(str(path.relative_to(tree)) for path in paths)}")
    if junit:
        console.print(time_tests(junit))
    if hot_path:
        path = trace_hot_path(tree)
        console.print(f"\nFrom an RTP packet to a ZeroMQ message: {len(path.modules)} modules, {len(path.turns)} turns")
        console.print(*path.modules, *(f"back from {caller} to {callee}" for caller, callee in path.turns), sep="\n")


def read_modules(tree: Path, folder: str) -> Iterator[Module]:
    """The modules of a folder, and of a file of its name; links into other folders are not followed."""
    paths = [*(tree / folder).rglob("*.py"), *tree.glob(f"{folder}.py")]
    for path in sorted(path for path in paths if path == path.resolve()):
        source = path.read_text(encoding="utf-8")
        yield Module(path, source.count("\n"), ast.parse(source).body)


def count_modules(product: dict[str, list[Module]], tests: list[Module]) -> Table:
    """A row for each folder, for all of them, and for the tests."""
    rows = [_row(folder, found, len(shared_class_names(found))) for folder, found in product.items()]
    shared = sum(len(shared_class_names(found)) for found in product.values())
    rows.append(_row("product", [module for found in product.values() for module in found], shared))
    rows.append(_row("tests", tests, len(shared_class_names(tests))))
    figures = ("modules", "median lines", f"under {SHORT_LINES} lines", "lines", "class names twice")
    return Table("Source code", ("folder",), figures, tuple(rows))


def shared_class_names(modules: Sequence[Module]) -> dict[str, list[Path]]:
    """Names that classes of more than one module have, and where."""
    counts = Counter(name for module in modules for name in module.class_names)
    return {
        name: [module.path for module in modules if name in module.class_names]
        for name, times in sorted(counts.items())
        if times > 1
    }


def time_tests(junit: Path) -> str:
    """How many tests ran, and how long they took together."""
    suites = list(ET.parse(junit).getroot().iter("testsuite"))  # noqa: S314  a file of one's own
    tests = sum(int(suite.get("tests", 0)) for suite in suites)
    seconds = sum(float(suite.get("time", 0)) for suite in suites)
    return f"{tests} tests took {int(seconds // 60)}:{seconds % 60:02.0f} min"


def _row(name: str, modules: Sequence[Module], shared: int) -> tuple[str, ...]:
    lines = [module.lines for module in modules if not module.is_package_marker]
    short = sum(each < SHORT_LINES for each in lines)
    total = sum(module.lines for module in modules)
    return name, str(len(lines)), f"{median(lines):g}", str(short), str(total), str(shared)


if __name__ == "__main__":
    App(name="code_metrics", help=__doc__, default_command=count)()
