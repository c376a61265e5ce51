# tickbus: every target sets up what it needs first. Python 3.11 or newer: make PYTHON=python3.12 up
PYTHON ?= python3
PY := .venv/bin/python

.PHONY: setup up test nightly check bench clean

setup: .venv/ready

# Rebuilt only when the lock or the project file changed; everything comes from the lock, with hashes.
.venv/ready: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tickbus needs Python 3.11 or newer; try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv .venv || { echo "cannot make .venv; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "setting up .venv with the locked packages; the first time takes about a minute"
	@$(PY) -m uv --version >/dev/null 2>&1 || $(PY) -m pip install --quiet --disable-pip-version-check "$$(grep -o '^uv==[0-9.]*' requirements-dev.lock)"
	@$(PY) -m uv pip sync --quiet --python $(PY) --require-hashes requirements-dev.lock
	@$(PY) -m compileall -q -j 0 .venv/lib || true
	@$(PY) cli.py warm
	@touch $@

up: setup
	@exec $(PY) cli.py up

# Two workers, a test file each at a time: most tests wait for processes, so this halves the time even on two cores.
test: setup
	@$(PY) -m pytest -n 2 --dist loadfile

nightly: setup
	@$(PY) -m tests.model.nightly --commands 10000000

check: setup
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports

bench: setup
	@$(PY) -m benchmarks $(STREAMS)

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
