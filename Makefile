# The lake's commands. `make` alone lists them.

PYTHON ?= python3
STORE ?= seaweedfs
PROJECT ?= demo/$(STORE)
N ?= 200
SEED ?= 0
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
LAKE := $(BIN)/lake
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup up down status demo ingest promote run notebook test check format faults dirty bench curves minio lock clean

help: ## List the targets
	@echo "usage: make TARGET [STORE=seaweedfs|minio] [PROJECT=DIR]"; echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo; echo "STORE chooses the local server; each has a demo lake of its own in demo/, and PROJECT names any other lake."

setup: $(INSTALLED) ## Make .venv out of the lock file, every package checked by its hash

$(INSTALLED): requirements/uv.txt requirements/lock.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; on Debian: sudo apt-get install python3" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv is missing; on Debian: sudo apt-get install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/lock.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q lake catalog ingestion
	@touch $@

demo/%/lake.toml: | $(INSTALLED)
	$(LAKE) init demo/$* --example flights --server $*

demo: $(INSTALLED) $(if $(filter minio,$(STORE)),minio) ## Run the main job on real data: New York's flights of 2013
	@$(LAKE) demo $(PROJECT) --server $(STORE)

up: $(INSTALLED) $(addsuffix /lake.toml,$(filter demo/seaweedfs demo/minio,$(PROJECT))) ## Start the local store
	@$(LAKE) -C $(PROJECT) up

down: $(INSTALLED) ## Stop the local store; the data stays
	@$(LAKE) -C $(PROJECT) down

status: $(INSTALLED) ## Say whether the store runs, and where each setting came from
	@$(LAKE) -C $(PROJECT) status

ingest: up ## Take what landed into bronze
	@$(LAKE) -C $(PROJECT) ingest

promote: up ## Run the jobs that have something new
	@$(LAKE) -C $(PROJECT) promote

run: up ## Ingest and promote, with one publication
	@$(LAKE) -C $(PROJECT) run

notebook: up ## Open JupyterLab on the first notebook
	LAKE_PROJECT=$(abspath $(PROJECT)) $(BIN)/jupyter lab --ip=127.0.0.1 notebooks/01_explore.ipynb

test: $(VENV)/.bench minio ## Pass every test, on SeaweedFS and on a real MinIO
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

check: $(VENV)/.bench ## Lint, types, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(INSTALLED) ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

faults: $(INSTALLED) minio ## Kill N runs at random points (make faults N=200 SEED=0) and check what they leave
	$(BIN)/python -m tests.faults.campaign --runs $(N) --seed $(SEED)

dirty: $(INSTALLED) ## Read N text files with known damage (make dirty N=10000 SEED=0): no record lost, doubled or altered
	$(BIN)/python -m tests.dirty.campaign --examples $(N) --seed $(SEED)

bench: $(VENV)/.bench $(if $(filter minio,$(STORE)),minio) ## Measure against a script written by hand (make bench ONLY="bronze silver"; make curves: how it grows)
	$(BIN)/python -m bench --server $(STORE) $(addprefix --only ,$(ONLY)) $(if $(SMALL),--small --rounds 1) $(if $(PEERS),--peers)

curves: $(VENV)/.bench $(if $(filter minio,$(STORE)),minio) ## Measure how the time grows with data, tables and files
	$(BIN)/python -m bench.curves --server $(STORE) $(addprefix --only ,$(ONLY)) $(if $(SMALL),--small)

$(VENV)/.bench: $(INSTALLED) requirements/bench.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/bench.txt
	@touch $@

minio: $(INSTALLED) ## Bring the MinIO server: on PATH or in the cache, else built from source (about five minutes)
	@$(LAKE) minio

lock: $(INSTALLED) ## Write the lock files again from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras --generate-hashes --universal --python-version 3.11 \
		--no-header --quiet --output-file requirements/lock.txt
	$(BIN)/uv pip compile --group bench --constraint requirements/lock.txt --generate-hashes --universal \
		--python-version 3.11 --no-header --no-annotate --quiet --output-file requirements/bench.txt
	$(BIN)/uv pip compile --group peers --generate-hashes --universal \
		--python-version 3.11 --no-header --no-annotate --quiet --output-file requirements/peers.txt
	grep '"uv==' pyproject.toml | tr -d ' ",' | $(BIN)/uv pip compile - --generate-hashes --universal \
		--python-version 3.11 --no-header --no-annotate --quiet --output-file requirements/uv.txt

clean: ## Stop the demo lakes and remove them, the caches and .venv
	@for project in demo/*/; do [ ! -x $(LAKE) ] || [ ! -e "$$project/lake.toml" ] || $(LAKE) -C "$$project" down; done
	rm -rf demo build .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
