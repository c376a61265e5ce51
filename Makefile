# tickbus: every target sets up what it needs first. Python 3.11 or newer: make PYTHON=python3.12 up
PYTHON ?= python3
PY := .venv/bin/python

# What is imported is compiled to bytecode once and kept: without that every start takes seconds longer.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup up test nightly check bench clean

setup: .venv/ready-dev

# To run a desk; made anew when a lock or the project file has changed. Everything comes from the locks, with hashes.
.venv/ready: requirements.lock requirements-uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tickbus needs Python 3.11 or newer; try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "1/3 makes .venv, a few seconds"
	@test -x $(PY) || $(PYTHON) -m venv .venv || { echo "cannot make .venv; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(PY) -m uv --version 2>/dev/null | grep -q "$$(sed -n 's/^uv==\([0-9.]*\).*/ \1/p' requirements-uv.lock)" || $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@echo "2/3 installs the locked packages: 10 s to a minute to download them the first time"
	@$(PY) -m uv pip sync --quiet --python $(PY) --require-hashes requirements.lock
	@echo "3/3 compiles the kernels, a minute or two"
	@$(PY) cli.py warm
	@touch $@

# To work on it: the tests' and the checks' packages, too.
.venv/ready-dev: .venv/ready requirements-dev.lock
	@echo "installs the packages of the tests and checks"
	@$(PY) -m uv pip sync --quiet --python $(PY) --require-hashes requirements-dev.lock
	@touch $@

up: .venv/ready
	@exec $(PY) cli.py up

# Three workers, a test file each at a time, the long ones first (tests/conftest.py): most tests wait for processes, so
# two cores take three of them.
test: setup
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations 25 --durations-min 10

nightly: setup
	@ENDINGS=all KILLS=all $(PY) -m pytest tests/desk/test_endings.py tests/desk/test_faults.py tests/desk/test_standby.py tests/nodes/gateway/test_gateway_kills.py
	@LANE=on $(PY) -m pytest -q tests/nodes/engine tests/nodes/gateway tests/desk/test_endings.py tests/desk/test_faults.py
	@$(PY) -m tests.engine.model.nightly --commands 10000000
	@$(PY) -m tests.simulation.nightly --kills 1000
	@$(PY) -m tests.simulation.nightly --pairs 8
	@$(PY) -m tests.reports.evidence_nightly
	@SWITCHES=all $(PY) -m pytest -q tests/simulation/test_switches.py
	@CASES=all $(PY) -m pytest -q tests/bus/test_feed.py tests/bus/test_feed_replica.py tests/bus/test_order_link_model.py tests/commands/test_output.py tests/engine/wire/test_feed.py tests/nodes/engine/test_core.py tests/nodes/tracker/test_bookkeeper_days.py tests/paper/test_books_of_clients.py tests/paper/test_money.py tests/simulation/test_moves.py tests/trading/test_escalation.py tests/trading/test_flows.py tests/trading/test_guard.py
	@BITS=all MOMENTS=all REPLAYED=all ROUGH=all SAME=all $(PY) -m pytest -q tests/engine/wire/test_mutations.py tests/reports/test_folder.py tests/independent tests/simulation/test_backtest.py tests/flow/test_replay.py tests/desk/test_replay_desk.py tests/flow/test_mirror.py tests/flow/test_same_commands.py tests/trading/test_rough_venue.py tests/venues/test_trader_over_sockets.py
	@$(PY) -m tests.planted
	@TICKBUS_TEST_BOOKS_S=60 $(PY) -m pytest -q tests/paper/test_books_of_real_clients.py
	@$(PY) -m benchmarks.parity replay:tests/kept/recording.gz --seconds 40
	@SIMULATED_S=86000 $(PY) -m pytest -q tests/simulation/test_day.py
	@$(PY) -m benchmarks.hour --seconds 600
	@$(PY) -m benchmarks.faults
	@$(PY) -m benchmarks.watchdog
	@$(PY) -m benchmarks.soak
	@$(PY) -m benchmarks.coverage

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
