# Every verb of this project. `make` alone lists them.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
PATHS := src tests docs examples benchmarks
# These use all processors, or look at the clock; all others run side by side.
ALONE := tests/browser tests/lifecycle tests/serving tests/watching tests/unit/loadgen
JUDGEMENT := leaks labels coverage slices fairness cost

.DEFAULT_GOAL := help
.PHONY: help setup demo test check fix bench docs lock clean

help:  ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## /\1  /p' $(MAKEFILE_LIST) | awk '{v=$$1; $$1=""; printf "make %-7s%s\n", v, $$0}'

setup: $(STAMP)  ## make .venv and install the locked packages

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Assay needs Python 3.11 or newer; $(PYTHON) is" \
	    "$$($(PYTHON) --version 2>/dev/null || echo missing). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -m venv .venv || \
	  { echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 2; }
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## judge a model that is accepted, then one that the audit stops
	@sh examples/demo.sh $(BIN)

test: check  ## everything: lint, types, contracts, tests
	$(BIN)/pytest -q -n auto --dist loadfile $(ALONE:%=--ignore=%)
	$(BIN)/pytest -q $(ALONE)

check: setup  ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check $(wildcard $(PATHS))
	$(BIN)/ruff check $(wildcard $(PATHS))
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: setup  ## format, and repair what the linter can
	$(BIN)/ruff format $(wildcard $(PATHS))
	$(BIN)/ruff check --fix $(wildcard $(PATHS))

bench: setup  ## run every benchmark; results go to benchmarks/results
	@for file in benchmarks/[a-z]*.py $(JUDGEMENT:%=benchmarks/judgement/%.py); do echo "== $$file"; $(BIN)/python $$file || exit 1; done

docs: setup  ## write the generated reference pages anew
	$(BIN)/python docs/generate.py

# Needs uv (pip install uv). The build backend is locked too, for an install without isolation.
UV_FLAGS := -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
  --python-version 3.11
lock:  ## resolve the dependencies of pyproject.toml anew
	uv pip compile $(UV_FLAGS) pyproject.toml -o requirements.lock
	printf 'editables\nhatchling\n' | uv pip compile $(UV_FLAGS) --group dev -c requirements.lock \
	  pyproject.toml - -o requirements-dev.lock
	uv pip compile $(UV_FLAGS) --no-deps --group serve -c requirements.lock -o requirements-serve.lock

clean:  ## remove .venv, caches and build outputs
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
