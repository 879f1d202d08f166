#!/bin/sh
# Make sure that a Chromium is there for the browser tests; say plainly what is missing where it can't be installed.
for name in "${CHROMIUM:-chromium}" chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Chromium for the browser tests ..."
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    chromium fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji >/dev/null && exit 0
fi
echo "The browser tests need Chromium: install it (Debian: sudo apt-get install chromium)," >&2
echo "or name one with CHROMIUM=/path/to/chrome, and run make test again." >&2
exit 1
