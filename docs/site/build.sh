#!/usr/bin/env bash
# Build the documentation as HTML into .docs/html: the guides of docs/, the catalogue of failures, and the pages of every
# module, role and plugin. A warning fails it.
set -euo pipefail
cd "$(dirname "$0")/../.."
source=.docs/source
rm -rf .docs
install -d -m 0755 "$source"
cp -r docs/*.md docs/rights docs/site/index.md "$source"
PYTHONPATH=.tree python -m docs.site.failures >"$source/failures.md"
ANSIBLE_COLLECTIONS_PATH=.tree antsibull-docs --config-file docs/site/antsibull-docs.cfg \
    collection --use-current --dest-dir "$source" appconsistent.azure
sphinx-build --quiet --fail-on-warning --keep-going --nitpicky -c docs/site "$source" .docs/html
printf 'The documentation is in %s/.docs/html/index.html\n' "$PWD"
