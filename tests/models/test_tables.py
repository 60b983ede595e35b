import io

import pytest
from rich.console import Console

from whoplays.models.tables import Table

TABLE = Table(
    "how it went",
    ("set", "who"),
    ("top-1", "tuned\nright", "never", "exact"),
    (("solos", "[a]", "0.5", "", "", "0.25"), ("pairs", "[a]", "", "0.125", "", "")),
)


def drawn(width: int) -> list[str]:
    """The lines of what is drawn, without space at their ends."""
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as said:
        console.print(*TABLE.drawn(width))
    return [line.rstrip() for line in said.get().splitlines()]


def test_where_there_is_room_all_figures_stand_side_by_side() -> None:
    assert drawn(35) == [
        "how it went",
        "                    tuned",
        " set    who  top-1  right  exact",
        " solos  [a]    0.5          0.25",
        " pairs  [a]         0.125",
    ]


def test_where_there_is_less_they_go_on_beneath_without_rows_of_nothing() -> None:
    assert drawn(27) == [
        "how it went",
        "                    tuned",
        " set    who  top-1  right",
        " solos  [a]    0.5",
        " pairs  [a]         0.125",
        "how it went, continued",
        " set    who  exact",
        " solos  [a]   0.25",
    ]


@pytest.mark.parametrize("width", [1, 20])
def test_where_there_is_none_every_figure_has_a_table_of_its_own(width: int) -> None:
    assert len(list(TABLE.drawn(width))) == 3


def test_in_markdown_a_rule_stands_under_headings_of_one_line() -> None:
    table = Table("", ("who",), ("tuned\nright", "top-1"), (("a", "0.9", "0.5"), ("b", "", "")))
    assert table.markdown() == "| who | tuned right | top-1 |\n| --- | ---: | ---: |\n| a | 0.9 | 0.5 |\n| b |  |  |"
