#!/bin/sh
# Resolve for each Python, without compiling anything: what a Space installs, and on each platform what `make` installs.
cd "$(dirname "$0")/.." || exit 1
export UV_PYTHON_DOWNLOADS=never  # none is run
export MACOSX_DEPLOYMENT_TARGET=14.0  # PyTorch's least

echo "Resolving the packages for Python 3.11 to 3.14 ..."
{
  echo "compile --only-binary :all: requirements.txt tests/space-requirements.txt tests/zerogpu-requirements.txt" \
    "--python-version 3.12 --python-platform x86_64-manylinux_2_28"
  for python in 3.11 3.12 3.13 3.14; do
    echo "compile --only-binary :all: requirements.txt tests/space-requirements.txt --constraints requirements-torch.txt" \
      "--python-version $python --python-platform x86_64-manylinux_2_28"
    for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin; do
      echo "install --only-binary :all: --dry-run --no-deps --require-hashes --target .venv/none" \
        "-r requirements.lock -r requirements-test.lock -r requirements-model.txt" \
        "--python-version $python --python-platform $platform"
    done
  done
} | xargs -P 4 -L 1 .venv/bin/uv pip --quiet >/dev/null
