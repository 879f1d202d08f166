#!/bin/sh
# Make sure that nginx is there for the tests behind a proxy; say plainly what is missing where it can't be installed.
PATH=$PATH:/usr/sbin
command -v nginx >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing nginx for the tests behind a proxy ..."
  # RUNLEVEL=1: the program, and no service.
  apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    nginx-light >/dev/null && exit 0
fi
echo "The tests behind a proxy need nginx: install it (Debian: sudo apt-get install nginx-light)," >&2
echo "and run make test again." >&2
exit 1
