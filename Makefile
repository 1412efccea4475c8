# Two commands on a fresh machine: `make run` starts the daemon, `make test` proves it works.
# Everything lands in .venv; deploy/setup.sh does the work and a stamp makes the second call instant.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
PYTEST_ARGS ?=
SOURCES := $(wildcard daemon client migrations tests bench)

.DEFAULT_GOAL := help
.PHONY: help run test check lint layers artifacts types bench demo format lock clean

help:
	@echo "make run      install into .venv and start the daemon on NIGHTCLAW_HOME (default ~/.nightclaw)"
	@echo "make test     the whole test suite (WORKERS=$(WORKERS), PYTEST_ARGS=...)"
	@echo "make check    lint, format, types, layers, file lists of wheel and sdist"
	@echo "make demo     a minute's show without a key, on a temporary home (YES=1 approves by itself)"
	@echo "make bench    the numbers this project holds itself to"
	@echo "make format   let ruff rewrite what it can"
	@echo "make lock     resolve the dependencies again (needs uv)"
	@echo "make clean    remove .venv and caches"

$(VENV)/.runtime: requirements.lock pyproject.toml deploy/setup.sh
	@sh deploy/setup.sh runtime

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@sh deploy/setup.sh dev

# `exec`, so that the terminal's Ctrl-C and a supervisor's SIGTERM reach the daemon itself
run: $(VENV)/.runtime
	@NIGHTCLAW_HOME="$${NIGHTCLAW_HOME:-$$HOME/.nightclaw}"; export NIGHTCLAW_HOME; exec $(BIN)/nightclaw run

test: $(VENV)/.dev
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

# `make -k check` shows every fault at once
check: lint layers artifacts types
	@echo "the gate is green"

lint: $(VENV)/.dev
	@echo "== ruff"; $(BIN)/ruff check -q $(SOURCES)
	@echo "== ruff format"; $(BIN)/ruff format -q --check $(SOURCES) || { echo "run: make format" >&2; exit 1; }

layers: $(VENV)/.dev
	@echo "== layers"; $(BIN)/python -m pytest -q tests/test_layers.py

artifacts: $(VENV)/.dev
	@echo "== artifacts"; $(BIN)/python tests/gate/artifacts.py

types: $(VENV)/.dev
	@echo "== types"; $(BIN)/basedpyright --level error $(SOURCES)

bench: $(VENV)/.runtime
	@exec $(BIN)/python bench/all.py

demo: $(VENV)/.runtime
	@exec $(BIN)/python bench/demo.py $(if $(YES),--yes)

format: $(VENV)/.dev
	@$(BIN)/ruff check -q --fix $(SOURCES); $(BIN)/ruff format $(SOURCES)

# No header and no index address: the locks are the same wherever they are made.
LOCK = uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11
lock:
	$(LOCK) $(UPGRADE) pyproject.toml -o requirements.lock
	$(LOCK) $(UPGRADE) --group dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis dist build
