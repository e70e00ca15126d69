# `make repro` and `make test` each do all set-up themselves. `make` alone prints this help.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready

export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help repro test long lint lock docs clean

help: ## print this help
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

repro: $(READY) ## set up, then run every stage that changed, from raw data to package
	@stagewise repro

test: $(READY) lint ## set up, then lint, type-check and run all tests
	@python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

long: $(READY) ## run the studies that take minutes
	@python -m pytest -n 2 --dist loadfile -m long

lint: $(READY) ## ruff and mypy
	@ruff check . && ruff format --check . && mypy

docs: $(READY) ## write the generated pages and pictures of docs/ again
	@python docs/generate.py && python docs/pictures.py

lock: ## write requirements.lock again from pyproject.toml, in a fresh environment
	@rm -rf .stagewise/lock && $(PYTHON) -m venv .stagewise/lock
	@.stagewise/lock/bin/python -m pip install --quiet 'setuptools>=77' '.[pipeline,dev,serve]'
	@.stagewise/lock/bin/python -m pip freeze --all --exclude pip --exclude stagewise \
		| sed -E 's/\+[a-z0-9]+$$//' | grep -vE '^(-e|nvidia|triton|cuda)' > requirements.lock
	@rm -rf .stagewise/lock build/lib build/bdist*

clean: ## remove the environment and all outputs; DVC's cache stays
	rm -rf $(VENV) .stagewise data/raw data/processed models/trained models/compressed dist/*/

# Compiling once here saves every stage from compiling what it imports.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned libraries into $(VENV) (once; takes a few minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib src >/dev/null 2>&1 || true
	@touch $(READY)
