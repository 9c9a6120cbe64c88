# The commands of the project. Each sets up what it needs in .venv; PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Ansible ignores an ansible.cfg in a folder that others can write to, unless it is told.
export ANSIBLE_CONFIG = $(CURDIR)/tests/ansible.cfg
export PATH := $(CURDIR)/$(BIN):$(PATH)
# ansible-core is the newest that the interpreter can run, unless a version is asked for: make test ANSIBLE='~=2.16.0'
ANSIBLE ?= >=2.16
# The tests of one file share their servers. One after the other, with another choice: make test PYTEST='-k lock'
PYTEST ?= --numprocesses=auto --dist=loadfile

# Longer chaos: make test CHAOS_RUNS=20000 PYTEST='-n auto tests/unit/chaos' tells so many stories in each of its files.

.PHONY: demo test check real-servers lint docs bench simulator clean

demo: $(VENV)/.demo
	$(BIN)/python -m demo

test: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST)

# In under two minutes: types, style, and the tests that need neither guests nor whole playbooks.
check: $(VENV)/.lint
	tests/lint.sh fast
	$(BIN)/python -m pytest --quiet $(PYTEST) tests/unit/plugins tests/unit/test_rooms.py tests/package

# MySQL 9, PostgreSQL 18, Redis 8 and Valkey 9, as root, in a Debian sid tree below /var/tmp that stays there.
real-servers: $(VENV)/.test
	REAL_SERVERS=1 $(BIN)/python -m pytest --quiet tests/real_servers

docs: $(VENV)/.docs
	docs/site/build.sh

lint: $(VENV)/.lint
	tests/lint.sh

bench: $(VENV)/.test
	PYTHONPATH=.tree $(BIN)/python -m tests.benchmarks $(BENCH)

simulator: $(VENV)/.demo
	$(BIN)/python -m tests.azure_simulator

clean:
	rm -rf $(VENV) .demo .docs

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: requirements.txt tests/azure_simulator/requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'ansible-core$(ANSIBLE)' -r requirements.txt \
		-r tests/azure_simulator/requirements.txt
	touch $@

$(VENV)/.test: tests/requirements.txt tests/awx/fetch_collections.py $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'ansible-core$(ANSIBLE)' -r tests/requirements.txt
	$(BIN)/python -m tests.awx.fetch_collections $(VENV)/collections
	touch $@

$(VENV)/.lint: requirements-dev.txt $(VENV)/.test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'ansible-core$(ANSIBLE)' -r requirements-dev.txt
	touch $@

$(VENV)/.docs: docs/site/requirements.txt $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'ansible-core$(ANSIBLE)' -r docs/site/requirements.txt
	touch $@
