# Everything a person or a CI runs. `make` lists it. Each target makes the environment it needs by itself, from the
# hash-locked requirement files, and works with the make 3.81 of macOS.

VENV := .venv
RUN := $(VENV)/bin/python
TEST := $(RUN) -m pytest -n 4 --dist worksteal
PYTHON3 ?=
CASES ?=
MODEL ?=

# Compiled tests are kept, whatever the caller's environment says of its own: the next target needs them again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test real check format-check lint types imports faults properties prove cluster bench bench-test bench-diagnosis screenshots format docs lock wheel venv dev-venv clean

help: ## List the targets.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  make %-16s %s\n", $$1, $$2 }'

demo: venv ## One night on call, on real parts, in about a minute and a half.
	$(RUN) -m sre_agent demo

test: dev-venv ## All tests but the long ones, which have targets of their own below.
	$(TEST) -m "not real and not faults and not properties and not bench and not cluster"

check: format-check lint types imports test ## What CI runs: format, lint, types, imports, tests.

format-check: dev-venv ## Is everything formatted?
	$(RUN) -m ruff format --check .

lint: dev-venv ## Ruff.
	$(RUN) -m ruff check .

types: dev-venv ## mypy, strict.
	$(RUN) -m mypy

imports: dev-venv ## The rooms and their import direction.
	$(VENV)/bin/lint-imports

real: dev-venv ## Actions and processes on real servers, which take their time: Valkey, Sentinel, rollouts, workers.
	$(TEST) -m real

faults: dev-venv ## The fault matrix: real processes killed, paused and raced.
	$(RUN) -m pytest -n 2 --dist worksteal -m faults

properties: dev-venv ## Thousands of drawn histories of the whole walk: crashes, races, lies (a few minutes).
	$(TEST) -m properties

prove: dev-venv ## All proofs about the policies, by z3; writes docs/proofs.md (a few minutes).
	$(RUN) -m tests.prove

cluster: dev-venv ## The contract tests against the cluster of KUBECONFIG.
	$(RUN) -m pytest -m cluster

bench-test: dev-venv ## The benchmark still runs, with few rounds.
	$(TEST) -m bench

bench: dev-venv ## Speed, as ratios for this machine (webhook ingest beside a bare FastAPI route, ...).
	$(RUN) -m tests.bench

bench-diagnosis: dev-venv ## How often the rules name the cause, over the recordings in CASES (a folder that stays outside).
	$(RUN) -m tests.bench.diagnosis "$(CASES)" $(if $(MODEL),--model $(MODEL))

screenshots: dev-venv ## Take the pictures of docs/images/ again (needs Debian's chromium).
	@mkdir -p docs/images
	SCREENSHOTS=docs/images $(RUN) -m pytest -m real tests/browser

format: dev-venv ## Format everything.
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix-only --quiet .

docs: dev-venv ## Write the generated parts of docs/ again.
	$(RUN) docs/generate.py

lock: ## Resolve both lock files again (needs uv).
	uv pip compile pyproject.toml --generate-hashes --no-emit-index-url --no-header --no-annotate --universal --quiet -o requirements.lock
	uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-header --no-annotate --universal --quiet -c requirements.lock -o requirements-dev.lock

wheel: dev-venv ## Build the wheel into dist/.
	$(RUN) -m pip wheel . --quiet --no-build-isolation --no-deps --wheel-dir dist

venv: ## The run-time environment.
	@PYTHON3='$(PYTHON3)' .ci/environment $(VENV) requirements.lock

dev-venv: ## The environment with development tools.
	@PYTHON3='$(PYTHON3)' .ci/environment $(VENV) requirements-dev.lock

clean: ## Remove the environment and what tools left behind.
	rm -rf $(VENV) dist build .demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
