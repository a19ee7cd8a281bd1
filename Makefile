# Every target works from a fresh clone: it creates the virtual environment it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNS ?= runs/demo
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

.PHONY: help install demo loaded test test-quick coverage check format architecture notebooks validate \
	validate-folds validate-local bench-simulate bench-searches bench-commands bench-plan bench-meters bench-train \
	gpu-check experiment experts eval-small whatif bench-whatif docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

install: $(VENV)/.installed ## create the virtual environment with everything a developer needs

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "expected Python 3.11 or newer; got " + sys.version.split()[0] + "; name one with make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m scripts.install $(BIN)/python dev
	touch $@

# What the demo needs is half of what a developer does.
$(VENV)/.demo: pyproject.toml | $(BIN)/python
	test $(VENV)/.installed -nt pyproject.toml || $(BIN)/python -m scripts.install $(BIN)/python train,plots,carbon
	touch $@

demo: loaded $(VENV)/.demo ## calibrate, predict, train, compare: the whole story in under 6 minutes
	PATH="$(abspath $(BIN)):$$PATH" scripts/demo $(RUNS)

loaded:
	@$(PYTHON) -m scripts.install --loaded

eval-small: install ## zero- and one-shot tables of the two models of make demo (ITEMS=DIR, LIMIT=N)
	PATH="$(abspath $(BIN)):$$PATH" scripts/eval-small $(RUNS)

# Files of tests side by side: they wait for processes more than they compute.
WORKERS ?= 3
SIDE_BY_SIDE = -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: install ## run the tests, WORKERS=3 files at a time
	scripts/system-packages
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-quick: install ## the tests that need no torch, no processes and little time: about a minute
	$(BIN)/python -m pytest -q -m "not slow and not process and not torch and not browser"

# What was measured on 2026-11-29: energy 94.1 %, glam 96.8 %, simulator 96.1 %. Raise, never lower.
coverage: install ## the tests once more with coverage by branches, before a release; fail if it has fallen
	scripts/system-packages
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(SIDE_BY_SIDE)
	$(BIN)/coverage combine --quiet
	rm -f .coverage.*  # of processes that were killed while they wrote it
	$(BIN)/coverage report --include='energy/*' --fail-under=94
	$(BIN)/coverage report --include='glam/*' --fail-under=96
	$(BIN)/coverage report --include='simulator/*' --fail-under=96

check: install ## format, lint and types, as CI checks them
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

architecture: install ## draw docs/architecture.md again, from the imports and docstrings
	$(BIN)/python -m scripts.architecture --write docs/architecture.md

docs: install ## build the documentation's site in site/, and check its links; no network
	$(BIN)/python -m scripts.website build/docs
	$(BIN)/zensical build --strict
	$(BIN)/python -m scripts.website --check site

format: install ## format, and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebooks: install ## execute the notebooks and keep what they print (NOTEBOOKS="01 04 --again")
	$(BIN)/python -m scripts.notebooks $(NOTEBOOKS)

validate-local: install ## predict, then train 8 small models that calibration never saw
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m benchmarks.simulator.local

validate: install ## compare the simulator with published figures; exit 5 if it got worse
	$(BIN)/python -m benchmarks.simulator.gates

validate-folds: install ## the same with every source, model, chip and publisher left out (15 minutes)
	$(BIN)/python -m benchmarks.simulator.runs --write docs/results-simulator.md
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.simulator.gates --folds --write docs/results-simulator.md

bench-simulate: install ## configurations per second, and the memory of sweeps of millions
	$(BIN)/python -m benchmarks.simulator.speed --write docs/results-simulator.md

bench-searches: install ## plans per processor second beside a build with the same formulas (BESIDE=DIR)
	$(BIN)/python -m benchmarks.simulator.searches --beside $(BESIDE) --write docs/results-simulator.md

whatif: install ## the page of what-if questions, in a browser on this machine (ARGS="--port 2718")
	$(BIN)/marimo run notebooks/what_if.py $(ARGS)

bench-whatif: install ## first paint of the page, and how long an answer takes
	$(BIN)/python -m benchmarks.what_if --write docs/what_if.md

experts: install ## what do the experts of the experiment take? after make experiment
	OMP_NUM_THREADS=1 $(BIN)/python -m experiments.experts

experiment: install ## does sparsity save energy? 28 trainings on one core, about 110 minutes, resumable
	PATH="$(abspath $(BIN)):$$PATH" OMP_NUM_THREADS=1 $(BIN)/python -m experiments.equal_loss

bench-commands: install ## processor time of commands against another checkout (BESIDE=DIR), and seconds
	$(BIN)/python -m benchmarks.commands $(if $(BESIDE),--beside $(BESIDE)) --write docs/results.md

bench-meters: install ## what the meters claim, their bands and their cost (BESIDE=DIR; 15 minutes)
	$(BIN)/python -m benchmarks.meters $(if $(BESIDE),--beside $(BESIDE)) --write docs/results-meters.md

bench-plan: install ## the planner on four published models: plans, seconds, rank of the published plan
	$(BIN)/python -m benchmarks.simulator.plans --write docs/planner.md

bench-train: install ## speed and memory of the trainer beside its alternatives (20 minutes)
	$(BIN)/python -m benchmarks.trainer --write docs/results-train.md

# No network: the Python that is there, or one of its own with what DIR has as wheels beside it.
GPU_PYTHON := $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))
CHECK_PYTHON := $(if $(WHEELS),build/gpu-check/bin/python,$(GPU_PYTHON))
gpu-check: ## on a machine with an NVIDIA GPU, in under 8 minutes: what only it can show (WHEELS=DIR, ARGS=--json)
	$(if $(WHEELS),$(GPU_PYTHON) -m benchmarks.gpu_check.install --wheels $(WHEELS) --into build/gpu-check)
	$(CHECK_PYTHON) -c 'import numpy, pydantic, pynvml, rich, typer' 2>/dev/null || \
		{ echo "error: expected the packages of the project in $(CHECK_PYTHON); bring them with WHEELS=DIR, see docs/gpu.md" >&2; exit 4; }
	$(CHECK_PYTHON) -m benchmarks.gpu_check $(ARGS)

clean: ## remove what the targets created
	rm -rf $(VENV) runs build site .cache *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
