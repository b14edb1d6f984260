# WaferScope: every target sets up what it needs; nothing but make and Python 3.11-3.13 is presumed.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := schemas instrumentation collector query-api grafana deploy
DATA_PLANE := schemas instrumentation collector query-api
WRAPPER_PYTHONS := 3.10 3.11 3.12 3.13
CACHE := $(or $(WAFERSCOPE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/waferscope)
INSTALLED := $(VENV)/.installed

.PHONY: help install demo test test-wrapper lint types contracts check format generate bench lock collector clean

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install: $(INSTALLED) ## Set up .venv with locked dependencies

$(INSTALLED): requirements/uv.txt requirements/dev.txt $(PACKAGES:%=%/pyproject.toml)
	@test -n "$(PYTHON)" || { echo "make: Python 3.11, 3.12 or 3.13 is needed; set PYTHON=/path/to/python" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes requirements/dev.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation $(PACKAGES:%=--editable ./%)
	@$(BIN)/python -m waferscope_collector.warming
	@touch $@

demo: $(INSTALLED) ## Start the whole stack on this machine, run the sample jobs, show their data
	@$(BIN)/python -m waferscope_stack.demo

test: $(INSTALLED) ## Run all tests that can run here; names what it skipped and why
	@$(BIN)/python -m pytest -n $${WAFERSCOPE_TEST_PROCESSES:-auto} --dist worksteal

test-wrapper: $(INSTALLED) ## Run the wrapper's tests on every other Python 3.10-3.13 that is found
	@failed=; main=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); for version in $(WRAPPER_PYTHONS); do \
		test $$version != $$main || { echo "make: Python $$version is left to 'make test', which has the wrapper's tests, too"; continue; }; \
		python=$$(for p in python$$version $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$$version.*/bin/python; do \
			$$p -c 'import sys; print(sys.executable)' 2>/dev/null && break; done) \
			|| { echo "make: Python $$version is not found, the wrapper is not tested on it"; continue; }; \
		echo "make: the wrapper on Python $$version"; venv=.venv-$$version; \
		{ test -x $$venv/bin/python || $(BIN)/uv venv --quiet --python $$python $$venv; } \
			&& VIRTUAL_ENV=$$venv $(BIN)/uv pip sync --quiet --require-hashes requirements/wrapper.txt \
			&& VIRTUAL_ENV=$$venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable ./instrumentation \
			&& $$venv/bin/python -m pytest -q -n $${WAFERSCOPE_TEST_PROCESSES:-auto} --dist worksteal \
				--confcutdir=instrumentation instrumentation/tests || failed="$$failed $$version"; \
	done; test -z "$$failed" || { echo "make: the wrapper fails on Python$$failed" >&2; exit 1; }

lint: $(INSTALLED) ## Lint and check the formatting
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(INSTALLED) ## Check the types (mypy, strict)
	@$(BIN)/mypy $(PACKAGES:%=%/src)

contracts: $(INSTALLED) ## Check which room may import which
	@$(BIN)/lint-imports

check: lint types contracts test ## All of the above

format: $(INSTALLED) ## Format the code
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

generate: $(INSTALLED) ## Regenerate committed output: semantic conventions, docs, boards
	@$(BIN)/python -m waferscope_schemas.generate
	@$(BIN)/waferscope boards render
	@$(BIN)/python tests/support/reference.py
	@$(BIN)/python tests/support/dictionary.py

bench: $(INSTALLED) ## Measure; prints the tables of docs/benchmarks.md
	@$(BIN)/python tests/bench/run.py

collector: $(CACHE)/collector-0.160.0/otelcol ## Build the Collector with Go (for tests and the demo; cached outside the tree)

$(CACHE)/collector-0.160.0/otelcol: collector/builder.yaml
	@command -v go >/dev/null || { echo "make: building the Collector needs Go 1.26; or put a stock otelcol-contrib on PATH as otelcol" >&2; exit 1; }
	@mkdir -p $(@D)
	@sed 's|^dist:|&\n  output_path: $(@D)|' $< > $(@D)/builder.yaml
	CGO_ENABLED=0 go run go.opentelemetry.io/collector/cmd/builder@v0.160.0 --config=$(@D)/builder.yaml
	@touch $@

lock: $(INSTALLED) ## Pin all dependencies anew, with hashes and without hosts
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 requirements/uv.in -o requirements/uv.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
		--no-emit-package waferscope $(foreach p,schemas collector query grafana stack,--no-emit-package waferscope-$(p)) \
		--group pyproject.toml:dev $(PACKAGES:%=%/pyproject.toml) -o requirements/dev.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
		--no-emit-package waferscope --no-emit-package waferscope-schemas -c requirements/dev.txt \
		$(DATA_PLANE:%=%/pyproject.toml) -o requirements/data-plane.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
		-c requirements/dev.txt requirements/build.in -o requirements/build.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.10 \
		requirements/wrapper.in -o requirements/wrapper.txt

clean: ## Remove what the targets made in the tree (not the demo's data in .waferscope)
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
