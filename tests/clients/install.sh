#!/bin/sh
# Make sure that curl and Node are there, and what the README's JavaScript imports; say plainly what is missing.
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
for folder in js4 js2; do
  installed="$folder/node_modules/.package-lock.json" # npm writes it last
  [ -n "$(find "$installed" -newer "$folder/package-lock.json" 2>/dev/null)" ] && continue
  echo "Installing the packages of tests/clients/$folder ..."
  npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null && continue
  echo "The clients' tests need the packages of tests/clients/$folder, and npm could not install them:" >&2
  echo "check the connection and npm's registry, and run make test again." >&2
  exit 1
done
