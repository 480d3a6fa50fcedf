.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# What is compiled once is not compiled again by each process that starts, also where a machine says otherwise.
export PYTHONDONTWRITEBYTECODE =

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.runtime ## Train and test the sample tickers, end to end
	$(BIN)/zenith run --source sample $(ARGS)

predict: .venv/.runtime ## Forecast AAPL with what `make run` trained
	$(BIN)/zenith predict AAPL

serve: .venv/.runtime ## Start the REST service on port 8000
	$(BIN)/zenith serve

ui: .venv/.runtime ## Open the Dagster UI on port 3000
	$(BIN)/zenith ui

up: .venv/.stack ## Run the full stack: PostgreSQL, Redis, MLflow, Dagster, the REST service
	$(BIN)/zenith up $(ARGS)

install: .venv/.runtime ## Install what running needs, without running

# Three processes on two cores, because many tests wait for other processes.
PYTEST := $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder

test: .venv/.dev ## Run all tests but the long ones
	$(PYTEST) -n 3 -m "not long" --junitxml=.pytest_cache/tests.xml $(ARGS)

test-quick: .venv/.dev ## Run the quick tests: one to two minutes
	$(PYTEST) -n 2 -m "not slow and not long" --ignore tests/integration --ignore tests/cluster $(ARGS)

test-long: .venv/.dev ## Run the tests that take long by nature, before a release
	@echo "an hour or more, by machine; docs/tests.md says what they do"
	$(BIN)/python -m pytest -m long -s $(ARGS)

coverage: .venv/.dev ## Run the tests of make test and measure which lines they run; htmlcov/index.html shows them
	$(PYTEST) -n 3 -m "not long" --cov --cov-report=html --cov-report=term:skip-covered $(ARGS)

slowest: .venv/.runtime ## Write the slowest tests of the last make test into docs/tests.md
	$(BIN)/python -m docs.make_slowest

test-cluster: .venv/.dev ## Retrain 20 tickers on two workers in containers, and kill one of them; CLUSTER_TICKERS=200: 200, in batches of 20
	tests/docker/engine.sh
	tests/docker/base_images.sh
	DOCKER_BUILDKIT=0 docker build -q --network host -f deploy/docker/pipelines.Dockerfile -t zenith-pipelines:cluster .
	DOCKER_BUILDKIT=0 docker build -q --network host -f deploy/docker/cluster.Dockerfile -t zenith-cluster:latest --build-arg PIPELINES=zenith-pipelines:cluster .
	ZENITH_TEST_CLUSTER=1 $(BIN)/python -m pytest tests/cluster -s $(ARGS)

contract: .venv/.dev ## Send the service, with a whole Dagster behind it, 10,000 requests drawn from its OpenAPI document: no 5xx
	$(BIN)/python -m pytest -m long tests/serving/test_contract.py -s $(ARGS)

test-docker: ## Build the images and try docker-compose.yml; installs and starts a Docker engine if there is none
	@tests/docker/engine.sh
	@$(if $(filter official,$(BASES)),,tests/docker/base_images.sh)
	@$(PYTHON) tests/docker/try_compose.py $(ARGS)

check: .venv/.dev ## Format, lint, types, import contracts; the last line says what failed
	@failed=; step() { "$$@" || failed="$$failed, $$name"; }; \
	name="format (make format fixes it)"; step $(BIN)/ruff format --check --quiet .; \
	name=lint; step $(BIN)/ruff check --quiet .; \
	name=types; step $(BIN)/mypy; \
	name="import contracts"; step $(BIN)/lint-imports; \
	test -z "$$failed" || { echo "make check failed: $${failed#, }"; exit 1; }

prose: .venv/.dev ## Measure how the code reads: docstrings, comments, names; ARGS=-v lists each finding
	@$(BIN)/python -m docs.prose $(ARGS)

format: .venv/.dev ## Put the code into format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

reference: .venv/.runtime ## Make docs/reference from the code
	$(BIN)/python -m docs.make_reference

lock: .venv/.runtime ## Resolve the requirements anew
	$(BIN)/uv pip compile $(LOCK) pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile $(LOCK) --group dev -c requirements.lock -o requirements-dev.lock
	$(BIN)/uv pip compile $(LOCK) --group stack -c requirements.lock -o requirements-stack.lock
	$(BIN)/uv pip compile $(LOCK) --group cluster -c requirements.lock -o requirements-cluster.lock
	$(BIN)/uv pip compile $(LOCK) --group bench -c requirements.lock -o requirements-bench.lock
	$(BIN)/uv pip compile $(LOCK) --group serving -c requirements.lock -o requirements-serving.lock
	$(BIN)/uv pip compile $(LOCK) --group mlflow -c requirements.lock -o requirements-mlflow.lock

dist: .venv/.runtime ## Build the wheel into dist/
	@rm -rf dist
	@$(BIN)/uv build -q --no-build-isolation --wheel --python $(BIN)/python -o dist .
	@rm -rf build zenith.egg-info  # else Python would take its version for the installed one
	@ls dist/*.whl

bench: .venv/.bench .venv/.stack ## Measure every promised figure beside its peer: half an hour; ARGS=--long: a night
	$(BIN)/python benchmarks/run_all.py $(ARGS)

bench-quick: .venv/.bench .venv/.stack ## The same in five minutes, on shorter measurements
	$(BIN)/python benchmarks/run_all.py --quick $(ARGS)

clean: ## Remove the environment and caches; state in .zenith stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov *.egg-info build dist

# One resolution for all platforms and Python versions, pinned with hashes, without a registry's address.
LOCK := --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-emit-index-url --no-annotate --no-header -q

# uv installs the locked set several times as fast as pip; compiled bytecode makes each later start fast.
INSTALL := $(BIN)/uv pip install -q --python $(BIN)/python --compile-bytecode

.venv/bin/uv: requirements-bootstrap.lock
	@echo "making .venv"
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "zenith: Python 3.11, 3.12 or 3.13 is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/.runtime: .venv/bin/uv requirements.lock pyproject.toml
	@echo "installing requirements.lock"
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@echo "installing requirements-dev.lock"
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

.venv/.stack: .venv/.runtime requirements-stack.lock
	@echo "installing requirements-stack.lock"
	@$(INSTALL) --require-hashes -r requirements-stack.lock
	@touch $@

.venv/.bench: .venv/.runtime requirements-bench.lock
	@echo "installing requirements-bench.lock"
	@$(INSTALL) --require-hashes -r requirements-bench.lock
	@touch $@

.PHONY: help run predict serve ui up install test test-quick test-long coverage slowest test-docker test-cluster contract check prose format reference lock dist bench bench-quick clean
