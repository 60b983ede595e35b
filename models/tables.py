"""Tables, for the terminal and as Markdown: rows that are named by their first columns and hold figures in the others.

On a terminal, where one is too wide, its figures go on in another beneath it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import rich.table
from rich.console import Group
from rich.text import Text

_GAP: Final = 2
"""Spaces that a column adds to its widest cell."""


@dataclass(frozen=True)
class Table:
    """A table before it is drawn."""

    title: str
    names: tuple[str, ...]
    """Headings of the columns that say what a row is of; a heading may have several lines."""
    figures: tuple[str, ...]
    """Headings of the others."""
    rows: tuple[tuple[str, ...], ...]
    """Of each row its names, then its figures; a figure that there is none of is empty."""
    caption: str = ""
    """What is to be known to read it."""

    def markdown(self) -> str:
        """Headings, a rule and rows, a line each, without title and caption; no newline after the last."""
        headings = (" ".join(heading.split()) for heading in self._headings)
        rule = (*("---" for _ in self.names), *("---:" for _ in self.figures))
        return "\n".join(f"| {' | '.join(line)} |" for line in (headings, rule, *self.rows))

    def drawn(self, width: int) -> Iterator[Group]:
        """As many tables as it takes for figures to stand side by side in so many columns of the terminal.

        Each has the names; a row or a column without any figure is left out.
        """
        title = self.title
        for columns in self._parts(width):
            table = rich.table.Table(box=None, header_style="bold")
            for heading in self.names:
                table.add_column(heading, overflow="fold")
            for column in columns:
                table.add_column(self._headings[column], justify="right")
            for row in self.rows:
                figures = [row[column] for column in columns]
                if any(figures) or not columns:
                    table.add_row(*map(Text, (*row[: len(self.names)], *figures)))
            yield Group(Text(title, style="italic"), table)
            title = f"{self.title}, continued"

    @property
    def _headings(self) -> tuple[str, ...]:
        return self.names + self.figures

    def _parts(self, width: int) -> list[list[int]]:
        """The figures' columns, those that fit beside the names together; no figures are one part."""
        taken = sum(map(self._width, range(len(self.names))))
        parts: list[list[int]] = []
        used = width
        for column in range(len(self.names), len(self._headings)):
            if not any(row[column] for row in self.rows):
                continue
            if used + self._width(column) > width or not parts:
                parts.append([])
                used = taken
            parts[-1].append(column)
            used += self._width(column)
        return parts or [[]]

    def _width(self, column: int) -> int:
        words = [*self._headings[column].splitlines(), *(row[column] for row in self.rows)]
        return max(map(len, words)) + _GAP
