#!/usr/bin/env bash
# Chromium for the browser tests: used where it is, installed where it can be (root with apt).
set -eu
command -v chromium >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
else
  echo "no Chromium here and no right to install it: the browser tests will be skipped, by name" >&2
fi
