#!/usr/bin/env bash
# Run ansible-test sanity on a staged copy: it wants a real folder ansible_collections/NAMESPACE/NAME outside any
# repository, and refuses links. The copy holds what the built collection holds; tests and demo are not in that.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
copy="$stage/ansible_collections/appconsistent/azure"
mkdir -p "$copy"
cd "$root"
git ls-files --cached --others --exclude-standard -z -- . ':!.tree' ':!tests/*/*' ':!tests/*.py' ':!demo' |
    while IFS= read -r -d "" file; do if [ -e "$file" ]; then printf "%s\\0" "$file"; fi; done |
    tar --null --files-from=- --create --file=- | tar --extract --file=- --directory="$copy"
cd "$copy"
ansible-test sanity --color no "$@"
