# Every target works on a bare machine that has Python 3.11 and make: it sets up .venv first, when that is
# missing or older than pyproject.toml or constraints.txt. A second call installs and downloads nothing.
#
#   make demo     the first real run: three small models and a larger one on the same work
#   make test     all tests but the slow ones          make test-all   the slow ones too
#   make lint     ruff, mypy --strict, import-linter   make wheel      dist/lilliput-*.whl
#   make benchmark-quick  a first verdict on BFCL, in a quarter of an hour
#   make benchmark        all families, with LILLIPUT_DATA_DIR; hours; goes on where it was stopped
#   make readme           the README's table of verdicts, from the committed records
#   make setup    .venv with everything                make clean      remove what these targets made here
#
# PYTHON=python3.12       another interpreter
# TORCH_INDEX=ADDRESS     where torch comes from, for tests; without it, from your pip's own settings

PYTHON ?= python3
TORCH_INDEX ?=
TORCH := torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin

# --no-compile: of the thousands of files that are installed few are ever imported, and Python compiles those
# when they are (half a minute saved). That needs the variable below to be unset, which some containers set.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
PIP := $(BIN)/python -m pip --quiet --quiet install --no-compile
# What the tests of real models need; each takes a few seconds once it is in the cache.
TEST_MODELS := lid-176 minilm-l6 minilm-l6-f32 smollm2-135m smollm2-135m-f32 qwen2.5-coder-0.5b

.PHONY: demo benchmark-quick benchmark specialists readme test test-all lint format wheel setup clean
.DEFAULT_GOAL := setup

demo: $(VENV)/.ready
	@$(BIN)/lilliput demo

benchmark-quick: $(VENV)/.ready-report
	@$(BIN)/lilliput bench run bfcl-quick

# What cannot run, for want of its data, says so, and the others run.
benchmark: $(VENV)/.ready-report
	@$(BIN)/lilliput bench suite

# Every shipped specialist again, from its rows and recipe, in build/specialists; about an hour.
specialists: $(VENV)/.ready-dev
	@PATH="$(CURDIR)/$(BIN):$$PATH" models/specialists/rebuild.sh build/specialists

readme: $(VENV)/.ready-report
	@$(BIN)/lilliput bench table --shipped --into README.md
	@$(BIN)/lilliput bench table --shipped --suite specialists --into README.md

test: $(VENV)/.ready-dev
	@$(BIN)/lilliput models pull $(TEST_MODELS)
	@$(BIN)/python -m pytest

test-all: $(VENV)/.ready-dev
	@$(BIN)/lilliput models pull $(TEST_MODELS)
	@$(BIN)/python -m pytest -m ""

lint: $(VENV)/.ready-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.ready-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

wheel: $(VENV)/.ready-dev
	@$(BIN)/python -m build --wheel --outdir dist .

setup: $(VENV)/.ready-dev
	@echo "Ready: $(BIN)/lilliput --help"

# What runs the product: no torch, no tools for development.
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lilliput needs Python 3.11 or newer.")'
	@test -x $(BIN)/python || { echo "Making $(VENV) …"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing Lilliput …"
	@$(PIP) -c constraints.txt -e .
	@touch $@

# And what draws a report's plots.
$(VENV)/.ready-report: $(VENV)/.ready
	@$(PIP) -c constraints.txt -e '.[report]'
	@touch $@

# torch comes first and alone: what follows finds it present and has no reason to bring the CUDA packages.
$(VENV)/.ready-dev: $(VENV)/.ready
	@echo "Installing $(TORCH) …"
	@$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	@echo "Installing the tools for development …"
	@$(PIP) -c constraints.txt -e '.[torch,learn,report,dev]'
	@touch $@

# Models, records and settings of the user lie elsewhere and stay: `lilliput models rm`, `lilliput doctor`.
clean:
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find orchestrator tests agents benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
