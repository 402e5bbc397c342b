#!/usr/bin/env bash
# What the tests on real engines need: JDK 17, JDK 21 or newer, and Maven. Used
# where they are, installed where they can be (root with apt; a JDK also as a Python package).
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python

has_jdk() { "$python" -m operations.engines.jdks "$1"; }

wanted=()
has_jdk 17 || wanted+=(openjdk-17-jre-headless)
command -v mvn >/dev/null || wanted+=(maven)
has_jdk 21 || wanted+=(openjdk-21-jre-headless)

if [ "${#wanted[@]}" -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq
  for package in "${wanted[@]}"; do
    # Not every release has every JDK.
    if apt-cache show "$package" >/dev/null 2>&1; then
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" \
        >/dev/null || echo "$package could not be installed" >&2
    fi
  done
fi
has_jdk 21 || "$python" -m pip install --quiet --disable-pip-version-check --require-hashes \
  -r requirements/jdk.txt || true

missing=()
has_jdk 17 || missing+=("JDK 17")
has_jdk 21 || missing+=("JDK 21+")
command -v mvn >/dev/null || missing+=(Maven)
if [ "${#missing[@]}" -gt 0 ]; then
  echo "not here, and no right to install it: ${missing[*]}; the tests that need it will be" \
    "skipped, by name" >&2
fi
