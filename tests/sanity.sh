#!/usr/bin/env bash
# Run ansible-test sanity on what a user gets: the archive, built and installed as `ansible-galaxy` does it. ansible-test
# wants a real folder ansible_collections/NAMESPACE/NAME outside any repository, and refuses links.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
ansible-galaxy collection build --output-path "$stage" "$root"
# By force: the settings of a checkout name the checkout, which counts as an installation.
ansible-galaxy collection install --force --offline --collections-path "$stage" "$stage"/*.tar.gz
cd "$stage/ansible_collections/appconsistent/azure"
ansible-test sanity --color no "$@"
