# Weir. `make help` lists the targets.
SHELL := /bin/bash
PYTHON ?= python3
PORT ?= 8000
MINUTES ?= 10
SOAK ?= embedded
VENV := .venv
PY := $(VENV)/bin/python

.PHONY: help dev test lint bench faults soak lock format engines-up engines-down
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/base.stamp: requirements/base.txt
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/base.txt
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/base.stamp
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

dev: $(VENV)/base.stamp ## run the whole pipeline here, at http://127.0.0.1:8000 (PORT=…)
	@exec $(PY) manage.py dev --port $(PORT)

test: $(VENV)/dev.stamp ## install what the tests need and run them all
	@bash tests/install_browser.sh
	@bash tests/install_postgresql.sh
	@bash tests/install_engines.sh
	$(PY) -m pytest --cov --cov-report=term:skip-covered -q

engines-up: $(VENV)/base.stamp ## real Kafka, Cassandra and Elasticsearch on loopback; prints three lines to paste
	@$(PY) manage.py engines up $(ENGINES)

engines-down: $(VENV)/base.stamp ## stop them; their data stay
	@$(PY) manage.py engines down

lint: $(VENV)/dev.stamp ## every check, in checking mode
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy .
	$(VENV)/bin/lint-imports --no-cache
	WEIR_SECRET_KEY=lint $(PY) manage.py check
	WEIR_SECRET_KEY=lint $(PY) manage.py makemigrations --check --dry-run

bench: $(VENV)/dev.stamp ## benchmarks, a JSON line a figure (BENCH=name for one)
	@$(PY) -m benchmarks $(BENCH)

faults: $(VENV)/dev.stamp ## the long fault runs, one to two hours
	@bash tests/install_engines.sh
	$(PY) -m pytest -q -m faults

soak: $(VENV)/dev.stamp ## memory under steady load (MINUTES=10, SOAK=embedded or real), a JSON line a process
	$(if $(filter real,$(SOAK)),@bash tests/install_engines.sh)
	$(PY) -m pytest -q -m soak --soak-minutes $(MINUTES) --soak-engines $(SOAK) tests/e2e/test_soak.py

format: $(VENV)/dev.stamp ## write the code the way `make lint` wants it
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

lock: $(VENV)/dev.stamp ## write requirements/*.txt anew from *.in
	cd requirements && for name in base kafka cassandra elasticsearch postgresql jdk dev; do \
	  ../$(VENV)/bin/uv pip compile -q --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    -o $$name.txt $$name.in; done
