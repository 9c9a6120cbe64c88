#!/usr/bin/env bash
# Everything that can be said about the code without running it. Stops at the first tool that objects. "fast" leaves out
# what takes longer than the code takes to be read: ansible-lint, ansible-test and the like.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
    printf '\n== %s\n' "$*"
    "$@"
}

step ruff check .
step ruff format --check .
step mypy
# The tests import the collection by its full name, so they see its files under other names than the run above.
MYPYPATH=.tree step mypy --cache-dir .mypy_cache/tests tests demo
if [ "${1:-}" = fast ]; then exit; fi
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard -- '*.sh' .ci/run)
step shellcheck "${scripts[@]}"
step yamllint --strict .
step ansible-lint
step antsibull-changelog lint
step antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .
step tests/sanity.sh
