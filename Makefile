# Two commands set up everything on a fresh machine: `make demo` (runtime only, no torch) and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
# With COVERAGE=1 the share of lines that tests pass through is printed; the second kind of tests adds to the first.
COVERED = $(if $(COVERAGE),--cov --cov-report=term:skip-covered)

.PHONY: help demo format lint test test-slow docs metrics clean

help:  ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/runtime.stamp  ## Play a bundled concert through the whole path
	$(BIN)/whoplays demo

format: .venv/develop.stamp  ## Format the code, and mend what a linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: .venv/develop.stamp  ## Check formatting, style, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: .venv/develop.stamp  ## Run all tests but the slow ones
	$(BIN)/python -m pytest -n 4 -m "not slow" $(COVERED)

test-slow: .venv/develop.stamp  ## Run the slow tests
	$(BIN)/python -m pytest -m slow $(COVERED) $(if $(COVERAGE),--cov-append)

docs: .venv/develop.stamp  ## Make the schemas, the man page, the completions and what pages take from the code anew
	$(BIN)/python -m whoplays.stream.daemon.config
	$(BIN)/python -m whoplays.stream.pubsub.messages
	$(BIN)/python -m whoplays.manual docs/share
	WHOPLAYS_UPDATE_DOCS=1 $(BIN)/python -m pytest --quiet tests/test_docs.py tests/stream/sources/test_limits.py \
	  tests/stream/daemon/test_page.py

metrics: .venv/develop.stamp  ## Count modules, lines, and the modules that a sample passes
	$(BIN)/python -m whoplays.bench.code_metrics --hot-path

clean:  ## Remove the environment and everything that was built
	rm -rf .venv build dist *.egg-info .coverage .mypy_cache .ruff_cache .import_linter_cache .pytest_cache

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
	$(PIP) --editable '.[cpu,page,osc,mqtt,parquet,objects,train,bench,peers,dev]'
	@touch $@ .venv/runtime.stamp
