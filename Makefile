# Every command of the project; `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.installed
PYTEST := $(BIN)/pytest
PARALLEL := -n auto --maxprocesses 4 --dist worksteal # one process for each core

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## make .venv with everything locked (done once, quick afterwards)

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "make setup: no python3 found; on Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "make setup: Python 3.11 is needed, $(PYTHON) is $$("$(PYTHON)" --version); name another: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' \
		|| { echo "make setup: the venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up .venv from requirements.lock (a minute or so, once)"
	@"$(PYTHON)" -m venv .venv
	@if command -v uv >/dev/null; then \
		uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock; \
		uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	fi
	@touch $(STAMP)

.PHONY: demo
demo: setup ## run the whole product with the imitated platforms, and keep running
	@$(BIN)/livehub demo

.PHONY: dev
dev: migrate ## run web and jobs on ./var, with readable logs
	@LIVEHUB_LOG_FORMAT="$${LIVEHUB_LOG_FORMAT:-text}" $(BIN)/livehub serve --with-jobs

.PHONY: migrate
migrate: setup ## bring the database of the environment up to date (with a backup)
	@$(BIN)/livehub migrate

.PHONY: test
test: setup ## run the tests (all but the browser's and the slow ones)
	@$(PYTEST) $(PARALLEL) -m "not browser and not slow and not faults"

.PHONY: browser
browser: setup ## run the tests that drive a real Chromium
	@$(PYTEST) $(PARALLEL) -m browser

.PHONY: slow
slow: setup ## run the slow tests: the whole story, the fuzzed API
	@$(PYTEST) $(PARALLEL) -m "slow and not browser and not faults"

.PHONY: faults
faults: setup ## kill, stop and starve a running installation and see that nothing is lost (LIVEHUB_FAULTS_LONG=1: for longer)
	@$(PYTEST) -m faults

.PHONY: faults-short
faults-short: setup ## those of the fault tests that CI runs
	@$(PYTEST) $(PARALLEL) -m "faults and not long"

.PHONY: bench-smoke
bench-smoke: setup ## run every benchmark for a moment, to see that it works and is correct
	@for file in livehub/bench/benches/[a-z]*.py; do name=$$(basename "$$file" .py); \
		for engine in sqlite $${LIVEHUB_TEST_POSTGRES:+postgres}; do \
			$(BIN)/livehub bench "$$name" --engine "$$engine" --seconds 0.5 --repetitions 1 \
				$${LIVEHUB_TEST_POSTGRES:+--server "$$LIVEHUB_TEST_POSTGRES"}; \
		done; \
	done

.PHONY: story
story: setup ## tell the demo's story once and compare every figure with the sandbox's books
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; LIVEHUB_DATA_DIR="$$scratch" $(BIN)/livehub demo --check

.PHONY: lint
lint: setup ## lint, and check the formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: fmt
fmt: setup ## format, and mend what the linter can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: types
types: setup ## check the types, strictly
	@$(BIN)/mypy
	@$(BIN)/python -m compileall -q livehub streamers rooms jobs tests

.PHONY: check
check: lint types test browser story ## everything CI runs (.ci/run adds a PostgreSQL of its own)

.PHONY: screens
screens: setup ## take a picture of every page into docs/screens/
	@LIVEHUB_SCREENS=docs/screens $(PYTEST) -m browser --durations=0

.PHONY: docs
docs: setup ## write the table of docs/errors.md anew from the code
	@$(BIN)/python -m tests.architecture.errors_page

.PHONY: coverage
coverage: setup ## run the tests and show the lines none of them reached
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -m "not browser and not slow and not faults"
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

.PHONY: lock
lock: ## resolve the dependencies anew into the two lock files (needs uv)
	@command -v uv >/dev/null || { echo "make lock: uv is needed (pip install uv)" >&2; exit 1; }
	@uv pip compile pyproject.toml --all-extras --upgrade --generate-hashes --no-header --no-emit-index-url \
		--python-version 3.11 --quiet --output-file requirements.lock
	@uv pip compile pyproject.toml --constraint requirements.lock --generate-hashes --no-header --no-emit-index-url \
		--python-version 3.11 --quiet --no-annotate --output-file deploy/requirements.lock

.PHONY: clean
clean: ## remove what can be made again (not ./var)
	@rm -rf .venv build livehub.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* htmlcov
	@find . -path ./.git -prune -o -name __pycache__ -type d -print0 | xargs -0 -r rm -rf
