#!/usr/bin/env bash
# Runs each fuzz target of the module for the given time (default 10s), one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}

for package in $(go list ./...); do
  for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
    echo "== $package $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1x "$package"
  done
done
