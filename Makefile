# What needs setting up sets itself up: `make demo` and `make test` work on a machine that has
# Python 3.11 or newer and make. After the first run nothing is fetched any more.

PYTHON ?= $(or $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done), \
	python3)
VENV ?= .venv
WORKERS ?= 3
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Tests start many processes; each would compile all modules anew where a shell forbids to keep them.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test nightly release mutation lint format coverage bench wheel clean

help:
	@echo "make demo      audiences over the bundled real purchases, on every engine"
	@echo "make test      the test suite, in the commit profile"
	@echo "make nightly   the suite with more random cases"
	@echo "make release   the suite with over a million (rule, consumer) pairs"
	@echo "make mutation  how many of 500 small faults in checker, operators, compilers the tests find"
	@echo "make lint      ruff and mypy"
	@echo "make format    rewrite the code the way ruff wants it"
	@echo "make coverage  the suite with branch coverage"
	@echo "make bench     the benchmarks, results compared before anything is timed; RUNS=5: longer"
	@echo "make wheel     the source archive and the wheel, in dist/"
	@echo "make clean     remove everything that was built, the environment too"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed; found: $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name another one: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) hatchling
	@$(PIP) --no-build-isolation --editable '.[dev]'
	@touch $@

demo: $(READY)
	@$(PY) -m tests.cdnow.demo

test: export SEGMENT_ENGINE_PROFILE ?= commit
test: $(READY)
	$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

nightly: $(READY)
	SEGMENT_ENGINE_PROFILE=$@ $(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

release: $(READY)
	SEGMENT_ENGINE_PROFILE=$@ $(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
	$(PY) -m tests.properties.release --pairs 1000000

mutation: $(READY)
	$(PY) -m tests.mutation --sample $(or $(SAMPLE),500) --seed $(or $(SEED),0)

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: $(READY)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

coverage: $(READY)
	$(PY) -m coverage run -m pytest
	$(PY) -m coverage report --show-missing --skip-covered

bench: $(READY)
	@$(PIP) --no-build-isolation --editable '.[dev,bench]'
	$(PY) -m benchmarks --runs $(or $(RUNS),1)

wheel: $(READY)
	$(PY) -m build --no-isolation --outdir dist

clean:
	rm -rf $(VENV) build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
