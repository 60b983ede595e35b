"""The page that the other tests here write."""

from tests.stream.faults.page import PAGE, declared, render, shown
from tests.stream.faults.times import Times


def test_the_page_has_the_rows_that_the_tests_declare() -> None:
    rows = [(row.fault, row.seen) for row in declared()]
    assert shown(PAGE.read_text(encoding="utf-8")) == rows, "run: python -m tests.stream.faults"


def test_every_row_is_shown_with_its_times() -> None:
    rows = declared()
    assert len(rows) >= 16
    assert all(row.fault and row.seen for row in rows)
    page = render(rows, {row.test: Times(1.04, None) for row in rows}, "Here.")
    assert shown(page) == [(row.fault, row.seen) for row in rows]
    assert page.count("| 1.0 s | - |\n") == len(rows)
