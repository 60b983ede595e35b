"""What docs/deploy ships fits the package: the unit, the image, and the configuration to begin with."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from configparser import RawConfigParser
from pathlib import Path

import jsonschema
import pytest

import whoplays
from tests.stream.history.make_history import make_status
from tests.stream.metrics.make_metrics import make_metrics
from whoplays.command import command_line
from whoplays.stream.daemon.check import check
from whoplays.stream.daemon.config import SCHEMA_PATH, MetricsConfig, read_config

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "docs" / "deploy"
UNIT = DEPLOY / "whoplays.service"
CONCERT = DEPLOY / "concert.toml"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
INSTRUCTION = re.compile(r"^([A-Z]+) +(.*)$", re.MULTILINE)


def instructions() -> list[tuple[str, str]]:
    """The Containerfile's, with their continuation lines."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [(name, " ".join(rest.split())) for name, rest in INSTRUCTION.findall(text)]


def of(name: str) -> list[str]:
    return [rest for each, rest in instructions() if each == name]


def unit() -> RawConfigParser:
    parser = RawConfigParser(comment_prefixes="#")
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # keys keep their capitals
    parser.read_string(UNIT.read_text(encoding="utf-8"))
    return parser


def test_the_unit_says_what_the_daemon_does() -> None:
    service = unit()["Service"]
    expected = {
        "Type": "notify",
        "NotifyAccess": "main",
        "WatchdogSec": "30",
        "Restart": "always",
        "ExecReload": "/bin/kill -HUP $MAINPID",
        "DynamicUser": "yes",
        "SupplementaryGroups": "audio",
        "StateDirectory": "whoplays",
        "ConfigurationDirectory": "whoplays",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
    }
    assert {key: service[key] for key in expected} == expected


def test_the_unit_starts_a_command_that_there_is() -> None:
    program, *words = unit()["Service"]["ExecStart"].split()
    assert Path(program).name in PROJECT["project"]["scripts"]
    command_line(words[0]).parse_args(words, exit_on_error=False, print_error=False)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_has_nothing_to_say_against_the_unit(tmp_path: Path) -> None:
    installed = tmp_path / UNIT.name
    # It refuses a program that is not there.
    installed.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/whoplays/bin/whoplays", sys.executable))
    command = ["systemd-analyze", "verify", "--man=no", str(installed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Failed to initialize manager" in done.stderr:
        pytest.skip("systemd-analyze cannot work here")
    assert not [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert done.returncode == 0


def test_the_image_copies_what_there_is_and_all_that_is_installed() -> None:
    copied = {source for rest in of("COPY") if not rest.startswith("--from") for source in rest.split()[:-1]}
    assert all((ROOT / source).exists() for source in copied)
    packages = {pattern.rstrip("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    linked = {link.name for link in (ROOT / "whoplays").iterdir() if link.is_symlink()}
    licences = {pattern.partition("/")[0] for pattern in PROJECT["project"]["license-files"]}
    build = {PROJECT["project"]["readme"], "pyproject.toml", "setup.py", "constraints.txt", "docs/share"}
    assert copied == packages | linked | licences | build
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == copied


def test_the_image_runs_the_console_script_with_a_command_that_there_is() -> None:
    (entry,), (words,) = of("ENTRYPOINT"), of("CMD")
    assert json.loads(entry)[0] in PROJECT["project"]["scripts"]
    command_line("serve").parse_args(json.loads(words), exit_on_error=False, print_error=False)


def test_the_image_is_made_of_one_base_with_constraints_and_without_rights() -> None:
    assert {rest.split()[0] for rest in of("FROM")} == {"python:3.11-slim"}
    assert not re.search(
        r"https?://|\w\.(io|com|org)/", " ".join(rest for name, rest in instructions() if name != "HEALTHCHECK")
    )
    (install,) = [rest for rest in of("RUN") if "pip install" in rest]
    assert "--constraint constraints.txt" in install
    assert any("libportaudio2" in rest for rest in of("RUN"))
    names = [name for name, _ in instructions()]
    assert len(names) - 1 - names[::-1].index("FROM") < names.index("USER") < names.index("ENTRYPOINT")
    assert of("USER") == ["whoplays"]


def test_the_image_asks_for_health_where_the_daemon_serves_it() -> None:
    (check,) = of("HEALTHCHECK")
    assert f"http://{MetricsConfig().address}/healthz" in check


def test_the_configuration_to_begin_with_makes_sense(capsys: pytest.CaptureFixture[str]) -> None:
    config = read_config(CONCERT)
    assert [stream.name for stream in config.stream] == ["hall", "stage"]
    assert config.history
    assert config.metrics
    jsonschema.validate(tomllib.loads(CONCERT.read_text(encoding="utf-8")), json.loads(SCHEMA_PATH.read_text()))
    check(CONCERT)
    assert "2 streams (hall, stage)" in capsys.readouterr().out


def test_the_citation_has_the_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {whoplays.__version__}\n" in citation


def exported_metrics() -> set[str]:
    """The names that a scrape has."""
    metrics = make_metrics()
    metrics.handle(make_status())
    return {sample.name for family in metrics.registry.collect() for sample in family.samples}


@pytest.mark.parametrize("name", ["whoplays.rules.yml", "grafana-dashboard.json"])
def test_rules_and_dashboard_ask_for_metrics_that_there_are(name: str) -> None:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    asked = set(re.findall(r"\bwhoplays_[a-z_]+(?=[{\[ ])", text))
    assert len(asked) > 5
    assert asked - exported_metrics() == set()


def test_prometheus_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run(
        [promtool, "check", "rules", DEPLOY / "whoplays.rules.yml"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_dashboard_is_that_of_its_script() -> None:
    pytest.importorskip("grafana_foundation_sdk", reason="grafana-foundation-sdk is not installed")
    made = subprocess.run(
        [sys.executable, "-c", "import dashboard; print(dashboard.make_dashboard(), end='')"],
        cwd=DEPLOY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert made == (DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8")
    titles = [panel["title"] for panel in json.loads(made)["panels"]]
    assert {"Who plays", "State", "Level", "Lost audio", "Alerts firing"} <= set(titles)
