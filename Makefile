# Two commands set up everything on a fresh machine: `make demo` (runtime only, no torch) and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test lint clean

demo: .venv/runtime.stamp
	$(BIN)/whoplays demo

test: .venv/develop.stamp
	$(BIN)/python -m pytest

lint: .venv/develop.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf .venv

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "whoplays needs Python 3.11 or newer; name one with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { apt-get update -q && apt-get install -y -q python3-venv; } \
	  || { echo "this Python cannot make virtual environments; run: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv

# A stamp is newer than what it was made from, so that a second run installs nothing.
.venv/runtime.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[cpu]'
	@touch $@

.venv/develop.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[cpu,train,dev]'
	@touch $@ .venv/runtime.stamp
