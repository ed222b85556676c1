# `make` prints what there is. Everything runs in .venv, which the first target that needs it builds.

PYTHONS := $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11
PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check
COMPILE := .venv/bin/uv pip compile --no-config --quiet --universal --python-version 3.11 \
	--generate-hashes --custom-compile-command "make lock"

.DELETE_ON_ERROR:
.PHONY: help serve test soak lint bench clean lock audit

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

serve: .venv/.runtime ## Start the API on http://127.0.0.1:8000
	@exec .venv/bin/contactapp serve

test: .venv/.dev ## Run the tests on SQLite and PostgreSQL
	.venv/bin/pytest -n auto --dist worksteal -q

soak: .venv/.dev ## Run the tests that take minutes
	.venv/bin/pytest -q -m soak

lint: .venv/.dev ## Check style and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

bench: .venv/.dev benchmarks/.venv/.bench ## Measure what a request costs; BENCH=--quick is short
	.venv/bin/python -m benchmarks.bench $(BENCH)

audit: .venv/.dev ## Look for known holes in the locked packages
	.venv/bin/pip-audit --strict --require-hashes --disable-pip -r requirements.txt

lock: .venv/.dev ## Compile the locks again; UPGRADE=1 takes newer versions
	$(COMPILE) $(if $(UPGRADE),--upgrade) requirements.in -o requirements.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) requirements-dev.in -o requirements-dev.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) benchmarks/requirements.in -o benchmarks/requirements.txt

clean: ## Remove .venv and caches; instance/ stays
	rm -rf .venv benchmarks/.venv build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find contactapp tests migrations benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# A command's name is no proof: version managers leave a `python3.12` that only prints an error.
.venv/bin/python:
	@for python in $(PYTHONS); do \
		if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
			>/dev/null 2>&1; then exec "$$python" -m venv --clear .venv; fi; \
	done; \
	echo 'contactapp needs Python 3.11 or newer with its venv module.' \
		'Install it, or name it: make PYTHON=/path/to/python3' >&2; exit 1

# The stamps are written last: after a failed pip the next make installs again.
.venv/.runtime: requirements.txt setup.cfg pyproject.toml | .venv/bin/python
	@echo 'Installing into .venv ...'
	@$(PIP) --require-hashes -r requirements.txt
	@PYTHONWARNINGS=ignore $(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.runtime
	@echo 'Installing what tests and checks need ...'
	@$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

# The reference's packages stay apart: contactapp must not be able to import them.
benchmarks/.venv/.bench: benchmarks/requirements.txt | .venv/bin/python
	@echo 'Installing what the reference server needs ...'
	@.venv/bin/python -m venv --clear benchmarks/.venv
	@benchmarks/.venv/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes -r benchmarks/requirements.txt
	@touch $@
