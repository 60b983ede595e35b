from whoplays.training.report.markdown import table


def test_a_table_has_a_rule_under_its_headings() -> None:
    assert table(("who", "top-1"), iter([("a", "0.9"), ("b", "")])) == (
        "| who | top-1 |\n| --- | --- |\n| a | 0.9 |\n| b |  |"
    )
