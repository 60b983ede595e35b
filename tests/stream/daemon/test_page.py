"""What docs/daemon.md says is what the code does; its tables are made from the code."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import jsonschema
import msgspec
import pytest

from tests.generated import DOCS, check_block, table
from tests.stream.history.make_history import make_status
from tests.stream.metrics.make_metrics import make_metrics
from whoplays.stream.common.constraints import expected, shown
from whoplays.stream.common.json_schema import field_docs
from whoplays.stream.daemon.child_config import PageConfig, RelayConfig
from whoplays.stream.daemon.config import (
    ClipsConfig,
    Config,
    HistoryConfig,
    MetricsConfig,
    Security,
    read_config,
    schema,
)
from whoplays.stream.daemon.stream_config import SourceConfig, StreamConfig
from whoplays.stream.history.query import Row
from whoplays.stream.pipeline.alerts import AlertRule

PAGE = "daemon.md"
TEXT = (DOCS / PAGE).read_text(encoding="utf-8")


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL))
def test_every_example_is_a_configuration(tmp_path: Path, example: str) -> None:
    path = tmp_path / "concert.toml"
    path.write_text(example, encoding="utf-8")
    assert read_config(path).stream
    jsonschema.Draft202012Validator(schema()).validate(tomllib.loads(example))


def keys(section: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Key, default, allowed values and meaning of each key of a section, but for those that are sections."""
    docs = field_docs(section)
    for field in msgspec.structs.fields(section):
        if not any(isinstance(kind, type) and issubclass(kind, msgspec.Struct) for kind in _parts(field.type)):
            item = get_args(field.type)[1] if get_origin(field.type) is dict else field.type
            allowed = expected(item).replace("text in quotes", "")
            default = shown(field.default) if isinstance(field.default, str | float | bool) else ""
            yield f"`{prefix}{field.name}`", default.strip("'"), allowed, docs[field.name].rstrip(".")


def _parts(kind: Any) -> Iterator[Any]:
    yield kind
    for part in get_args(kind):
        yield from _parts(part)


@pytest.mark.parametrize(
    ("name", "sections"),
    [
        ("keys of the file", {"": Config}),
        ("keys of a stream", {"": StreamConfig}),
        ("keys of a source", {"": SourceConfig}),
        ("keys of an alert", {"": AlertRule}),
        ("keys of a relay", {"": RelayConfig}),
        (
            "keys of sections",
            {
                "security.": Security,
                "history.": HistoryConfig,
                "metrics.": MetricsConfig,
                "clips.": ClipsConfig,
                "page.": PageConfig,
            },
        ),
    ],
)
def test_its_keys_are_those_of_the_code(name: str, sections: dict[str, type[msgspec.Struct]]) -> None:
    rows = [row for prefix, section in sections.items() for row in keys(section, prefix)]
    check_block(PAGE, name, table(("key", "default", "must be", "what"), rows))


def test_its_columns_are_those_of_the_code() -> None:
    docs = field_docs(Row)
    rows = ((f"`{name}`", docs[name].rstrip(".")) for name in Row.__struct_fields__)
    check_block(PAGE, "columns", table(("column", "what"), rows))


def test_its_metrics_are_those_of_the_code() -> None:
    metrics = make_metrics()
    metrics.handle(make_status())
    families = [family for family in metrics.registry.collect() if family.name.startswith("whoplays_")]
    rows = []
    for family in families:
        found = [label for sample in family.samples for label in sample.labels]
        labels = ", ".join(f"`{label}`" for label in dict.fromkeys(found) if label not in ("le", family.name))
        name = f"{family.name}_total" if family.type == "counter" else family.name
        rows.append((f"`{name}`", family.type, labels, family.documentation.rstrip(".")))
    check_block(PAGE, "metrics", table(("metric", "type", "labels", "what"), rows))
