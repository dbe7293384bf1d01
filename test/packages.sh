#!/usr/bin/env bash
# Installs the Debian packages that the tests use. Without root or without apt-get it says what is missing and leaves it
# at that, because the tests then skip what they cannot do; with PROXYMAPD_TEST_REQUIRE_ALL=1 it fails instead.
set -euo pipefail

packages=(
  libdb5.3-dev
  postfix postfix-cdb postfix-ldap postfix-lmdb postfix-mysql postfix-pcre postfix-pgsql postfix-sqlite
  mariadb-server mariadb-client
  postgresql
  slapd ldap-utils
  sqlite3
  redis-server
  memcached
  groff-base man-db
)

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | cut -c1-2)" = ii ]
}

missing=()
if command -v dpkg-query >/dev/null; then
  for package in "${packages[@]}"; do
    installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && exit 0
else
  missing=("${packages[@]}")
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "The tests that need these Debian packages and root are skipped: ${missing[*]}"
  [ "${PROXYMAPD_TEST_REQUIRE_ALL:-}" != 1 ]
  exit
fi

echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive

# The servers are started by the tests, each in its own directory, and not by the packages.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
if command -v debconf-set-selections >/dev/null; then
  echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
fi

# A quiet log; all of it when something goes wrong.
log=$(mktemp)
if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  cat "$log"
  rm -f "$log"
  exit 1
fi
rm -f "$log"
