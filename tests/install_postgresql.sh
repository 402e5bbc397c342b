#!/usr/bin/env bash
# PostgreSQL's server for the database tests: used where it is, installed where it can be (root with apt). No cluster of
# Debian's own is made or started: the tests make theirs.
set -eu
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq
  mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null
else
  echo "no PostgreSQL here and no right to install it: the tests on it will be skipped, by name" >&2
fi
