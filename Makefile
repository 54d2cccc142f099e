# make help lists what there is. Every target sets up what it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test lint format schemas docs lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: $(READY) ## a local Kafka, a worker and real exchange answers; Ctrl-C ends it, DEMO_SECONDS=20 ends it by itself
	@$(BIN)/python -m streams.demo

test: $(READY) ## every test, with a real Kafka
	@$(BIN)/python -m pytest

lint: $(READY) ## format, style, types, rule files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/keystatus rules lint

format: $(READY) ## rewrite the code in its format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

schemas: $(READY) ## write the JSON Schemas anew
	@$(BIN)/python -m schemas.published

docs: $(READY) ## write the generated pages anew: exchanges, comparison with ccxt, states
	@$(BIN)/python -m streams.state_diagram
	@$(BIN)/keystatus rules coverage --markdown > docs/.new && mv docs/.new docs/exchanges.md
	@$(BIN)/keystatus rules compare-ccxt --markdown > docs/.new && mv docs/.new docs/ccxt-comparison.md

lock: $(READY) ## resolve the dependencies anew
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --extra local --extra ccxt --group dev --output-file requirements-dev.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --constraints requirements-dev.lock --output-file requirements.lock

clean: ## remove what the targets made
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
