#!/bin/sh
# Make sure that curl and Node are there, and the packages of the clients' tests; say plainly what is missing.
cd "$(dirname "$0")" || exit 1

have() { command -v "$1" >/dev/null 2>&1; }

if ! { have curl && have node && have npm; } && [ "$(id -u)" = 0 ] && have apt-get; then
  echo "Installing curl, Node and npm for the clients' tests ..."
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    ca-certificates curl nodejs npm >/dev/null
fi
for name in curl node npm; do
  have "$name" && continue
  echo "The clients' tests need curl, Node 18 or later and npm, and there is no $name: install them" >&2
  echo "(Debian: sudo apt-get install curl nodejs npm), and run make test again." >&2
  exit 1
done
if ! node --eval 'process.exit(Number(process.versions.node.split(".")[0]) < 18 ? 1 : 0)'; then
  echo "The clients' tests need Node 18 or later, and this is $(node --version): install a newer one," >&2
  echo "and run make test again." >&2
  exit 1
fi

install_js() {
  [ -n "$(find "$1/node_modules/.package-lock.json" -newer "$1/package-lock.json" 2>/dev/null)" ] && return # npm's last file
  echo "Installing the packages of tests/clients/$1 ..."
  npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null && return
  echo "The clients' tests need the packages of tests/clients/$1, and npm could not install them:" >&2
  echo "check the connection and npm's registry, and run make test again." >&2
  return 1
}

# Apart from .venv: LangChain, LlamaIndex and LiteLLM want another openai than the tests do.
install_python() {
  venv=../../.venv-clients lock=frameworks/requirements.lock
  [ -n "$(find "$venv/installed" -newer "$lock" 2>/dev/null)" ] && return
  echo "Installing LangChain, LlamaIndex and LiteLLM into .venv-clients ..."
  export UV_PYTHON_DOWNLOADS=never
  ../../.venv/bin/uv venv --quiet --clear --python ../../.venv/bin/python "$venv" &&
    ../../.venv/bin/uv pip install --quiet --no-deps --require-hashes --python "$venv/bin/python" --requirement "$lock" &&
    touch "$venv/installed" && return
  echo "The clients' tests need the packages of tests/clients/$lock, and uv could not install them:" >&2
  echo "check the connection, and run make test again." >&2
  return 1
}

install_python &
running=$!
for folder in js js4 js2; do
  install_js "$folder" &
  running="$running $!"
done
for each in $running; do
  wait "$each" || exit 1
done
