# make run and make test need python3 (with venv) and nothing else; they make .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The environment of the tests: like run and bench a name in requirements/.
TESTED ?= dev
# Builds use the setuptools of build.lock: pip's own choice would have no hash.
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation

# The layers, the solvers and the pure functions, but for what is marked as slow.
FAST := tests/layers tests/recipes/pipeline/preprocessing $(wildcard \
	tests/recipes/*/solver tests/recipes/checks tests/recipes/pipeline/*evaluation*)

.PHONY: run test test-fast lint format bench notebooks lock test-oldest clean

run: $(VENV)/.run
	$(BIN)/python -m recipes

test: $(VENV)/.$(TESTED)
	@# One more than cores: many tests wait for a process of their own.
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal

# Within 90 seconds on two cores.
test-fast: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not slow" $(FAST)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Real data sets: the folder that RECIPES_DATA names.
bench: export RECIPES_DATA ?= $(realpath ../shared/data)
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks.small_data
	$(BIN)/python -m benchmarks.linear_regression
	$(BIN)/python -m benchmarks.svm
	$(BIN)/python -m benchmarks.neural_network

# Runs the notebooks and stores them with their outputs.
notebooks: $(VENV)/.dev
	$(BIN)/python -m notebooks

# The tests at the lower end of the supported versions, what Colab has had since 2025.
test-oldest:
	$(MAKE) test VENV=.venv-oldest TESTED=oldest

# In this order: each keeps the versions of those that its .in file names.
lock: $(VENV)/.dev
	for name in build run dev bench oldest; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
			--generate-hashes --no-annotate --no-emit-package descent-recipes \
			--custom-compile-command 'make lock' \
			--output-file requirements/$$name.lock requirements/$$name.in || exit; \
	done

clean:
	rm -rf .venv .venv-oldest build dist *.egg-info runs
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.build: requirements/build.lock
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --require-hashes --requirement $<
	touch $@

$(VENV)/.%: requirements/%.lock pyproject.toml $(VENV)/.build
	$(INSTALL) --require-hashes --requirement $<
	$(INSTALL) --no-deps --editable .
	touch $@
