# Everything a developer or a visitor types. `make help` explains it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
KILLS ?= 25
SEED ?= random
BARS ?=
JOB ?=
RUNS ?= 20
TESTS ?=
VENV := .venv
BIN := $(VENV)/bin
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --upgrade --quiet

.PHONY: help demo test check format bench build chaos soak pictures mutants lock clean

help: ## Explain the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

demo: $(VENV)/.installed ## JOB=cache-warm: run a job on sample data, on a server of its own
	@$(BIN)/etl demo $(JOB)

test: $(VENV)/.installed ## Run all tests, on real servers of their own
	@$(BIN)/pytest -q --numprocesses=5 --dist=loadfile

soak: $(VENV)/.installed ## RUNS=20: run all tests so many times, in random order; TESTS=tests/unit: some
	@for run in $$(seq $(RUNS)); do echo "run $$run of $(RUNS)"; \
	  $(BIN)/pytest -q -p randomly --numprocesses=5 --dist=loadfile $(TESTS) || exit 1; done

check: $(VENV)/.checkers ## Lint, types, import layers, SQL, shell scripts
	$(BIN)/ruff check etl tests
	$(BIN)/ruff format --check etl tests
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint sql
	$(BIN)/shellcheck bin/* .ci/run tests/bench/*.sh
	$(BIN)/shfmt -i 2 -ci -d bin/* .ci/run tests/bench/*.sh
	$(BIN)/python tests/check_sizes.py

format: $(VENV)/.checkers ## Format Python, SQL and shell scripts in place
	$(BIN)/ruff check --fix --quiet etl tests || true
	$(BIN)/ruff format etl tests
	$(BIN)/sqlfluff fix --quiet sql
	$(BIN)/shfmt -i 2 -ci -w bin/* .ci/run tests/bench/*.sh

bench: $(VENV)/.installed ## BARS="1 2": measure against named rivals, in one run
	@$(BIN)/python -m tests.bench $(BARS)

chaos: $(VENV)/.installed ## KILLS=25 SEED=random: faults of all kinds, then the invariants
	@$(BIN)/python -m tests.chaos --kills $(KILLS) --seed $(SEED)

build: $(VENV)/.installed ## Build wheel and source distribution into dist/
	@rm -rf dist && $(BIN)/python -m hatchling build

pictures: $(VENV)/.installed ## Draw the pictures of the README from a real run (needs chromium)
	@$(BIN)/python -m tests.pictures

mutants: $(VENV)/.installed ## Break the code in one place after the other, and watch a test fail
	@$(BIN)/python -m tests.mutants

lock: ## Pin the newest versions in constraints*.txt (needs uv)
	$(LOCK) --extra build --extra test -o constraints.txt
	$(LOCK) --all-extras -o constraints-check.txt

clean: ## Remove what make has made here
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# uv where it is installed, else pip: the same arguments, hashes checked by both.
define install
	@if command -v uv >/dev/null; then VIRTUAL_ENV=$(VENV) uv pip install --quiet $(1); \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check $(1); fi
endef

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "etl needs Python 3.11 or newer; say which by: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv is missing: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV) …"
	$(call install,--require-hashes -r constraints.txt)
	$(call install,--no-deps --no-build-isolation -e .)
	@touch $@

$(VENV)/.checkers: $(VENV)/.installed constraints-check.txt
	$(call install,--require-hashes -r constraints-check.txt)
	@touch $@
