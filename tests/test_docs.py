"""What the documents tell a reader to type is what the command line takes."""

import doctest
import importlib
import re
import shlex
from pathlib import Path

import pytest

from tests.generated import check_block
from whoplays.command import command_line
from whoplays.models import catalogue

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def documented() -> list[tuple[str, str]]:
    """Every `whoplays` command in README and docs, with the page it stands on."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    blocks = [(page.name, block) for page in pages for block in BLOCK.findall(page.read_text(encoding="utf-8"))]
    lines = [(page, part.strip()) for page, block in blocks for line in block.splitlines() for part in line.split("|")]
    return [(page, line) for page, line in lines if line.startswith("whoplays ")]


def test_there_is_something_to_check() -> None:
    assert len(documented()) > 10


@pytest.mark.parametrize(("page", "line"), documented())
def test_every_documented_command_is_one(page: str, line: str) -> None:
    words = shlex.split(re.split(r" [&>]", line)[0], comments=True)[1:]
    command_line(*words[:1]).parse_args(words, exit_on_error=False, print_error=False)


def linked(page: Path) -> set[Path]:
    """What a page links to in this repository."""
    return {(page.parent / link).resolve() for link in LINK.findall(page.read_text(encoding="utf-8"))}


def test_the_readme_leads_to_every_page() -> None:
    pages = {page.resolve() for page in (ROOT / "docs").rglob("*.md")}
    assert pages <= linked(ROOT / "README.md")


@pytest.mark.parametrize(
    "page", [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.name
)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [target for target in linked(page) if not target.exists()] == []


def test_the_figures_in_the_readme_are_those_of_the_accuracy_page() -> None:
    readme, page = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/accuracy.md"))
    rows = [line for line in readme.splitlines() if re.match(r"\| (one|two|three|other)\b", line)]
    assert len(rows) == 4
    for figure in re.findall(r"[01]\.\d{3}", "".join(rows)):
        assert f"| {figure} " in page
    _, card = catalogue.find("default")
    assert f"whoplays ({card.parameters / 1e6:.2f} M parameters)" in readme


def tree() -> str:
    """Every folder of the package with its modules."""
    lines = []
    for top in ("whoplays", "models", "stream", "training", "export", "bench"):
        for folder in sorted({path.parent for path in (ROOT / top).rglob("*.py")}):
            modules = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
            if modules:
                lines.append(f"    {folder.relative_to(ROOT).as_posix() + '/':<28}{' · '.join(modules)}\n")
    return "".join(lines)


def test_the_tree_in_the_architecture_page_is_that_of_the_repository() -> None:
    check_block("architecture.md", "tree", tree())


PLACES = re.compile(r"`((?:models|stream|training|export|bench)/[\w/.]*)`")


def test_every_place_that_a_page_names_exists() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    named = {(page.name, place) for page in pages for place in PLACES.findall(page.read_text(encoding="utf-8"))}
    assert named
    assert (
        sorted(f"{page}: {place}" for page, place in named if "NAME" not in place and not (ROOT / place).exists()) == []
    )


MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for top in ("models", "stream", "training", "export", "bench")
    for path in sorted((ROOT / top).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_docstrings_hold(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"whoplays.{module}")).failed == 0
