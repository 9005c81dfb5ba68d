# tweetlake: everything a contributor or a curious newcomer types. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
UV := .cache/uv/bin/uv
UV_VERSION := 0.13.8
BIN := .venv/bin
LAKE := lake
PLAYBOOK := $(BIN)/ansible-playbook
MOLECULE := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/molecule
ROLES := aws python host postgresql airflow https twitter_etl

# uv trusts what the machine trusts, so that it works behind a TLS-inspecting proxy too.
export UV_SYSTEM_CERTS := 1
# Images of containers like to set it; each module of Ansible would then compile its libraries anew: twice the time.
export PYTHONDONTWRITEBYTECODE :=
export ANSIBLE_FORCE_COLOR ?= $(if $(CI),0,1)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

## ---- the three commands of the README

try: .cache/try-venv/.synced ## Land a simulated day of posts in ./lake and show it; no root, no container, one minute
	.cache/try-venv/bin/python -m stand_ins.try_it --to $(LAKE)

demo: setup-hosts ## Boot a host, run site.yml against it, land yesterday's posts, show them
	$(PLAYBOOK) -i inventory/local stand_ins/demo/create.yml
	$(PLAYBOOK) -i inventory/local site.yml
	$(PLAYBOOK) -i inventory/local playbooks/run.yml
	$(BIN)/python -m stand_ins.demo.show

demo-stop: ## Remove the demo host and its stand-ins
	$(PLAYBOOK) -i inventory/local stand_ins/demo/destroy.yml

test: lint test-fast test-slow test-roles ## Do all set-up, then lint, pytest and every Molecule scenario

## ---- its parts

setup: .venv/.synced .cache/airflow-venv/.synced ## Make the contributor's .venv (uv, one lock file)

setup-hosts: setup ## Install what test hosts need (podman, base images) with apt, and say so
	$(PLAYBOOK) -i localhost, stand_ins/demo/machine.yml

lint: setup ## ansible-lint (production), yamllint, ruff, mypy, lock files in step
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/yamllint --strict .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ansible-lint --offline
	$(UV) lock --check

test-fast: setup .cache/try-venv/.synced ## pytest, no host, a minute or two: script, simulator, DAG, role contracts
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" tests
	AIRFLOW_HOME=$$(mktemp -d) .cache/airflow-venv/bin/python -m pytest --noconftest tests/test_dag.py

test-slow: setup ## pytest, no host, the rest: faults at every step, hostile pages, recordings, preflights
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow tests

test-roles: setup-hosts ## Molecule: every role and the whole site on real systemd hosts
	for scenario in $(ROLES) default; do echo "== molecule test -s $$scenario"; $(MOLECULE) test -s $$scenario; done

test-role: $(if $(ROLE),setup-hosts) ## Molecule: one role, ROLE=airflow, or the whole site, ROLE=default
	$(if $(ROLE),,$(error Say which: make test-role ROLE=airflow))
	$(MOLECULE) test -s $(ROLE)

test-browser: setup ## Use the UI of `make demo` in Chromium as people do; updates docs/images
	$(PLAYBOOK) -i localhost, tests/browser/chromium.yml
	UI_URL=https://localhost:8443 UI_CA_FILE=inventory/local/demo-ca.crt \
	  UI_PASSWORD="$$($(SUDO) podman exec tweetlake-demo cat /etc/airflow/credentials/password-admin)" \
	  $(BIN)/python -m pytest tests/browser
	cp .cache/screenshots/grid.png .cache/screenshots/log.png docs/images/

test-launch: setup-hosts ## launch.yml and site.yml as one command: moto for AWS, a test host for EC2's
	$(BIN)/python -m pytest -x molecule/aws/checks/test_one_command.py

test-s3: setup-hosts ## Small and large days on more than one S3 server: moto, and Ceph's radosgw in a container
	$(BIN)/python -m pytest tests/s3_servers

test-faults: setup ## Every fault at every step of a run, and kills; writes docs/reliability.md
	$(BIN)/python -m tests.faults

bench: setup .cache/twarc-venv/.synced ## Measure the script against its peers and write docs/benchmarks.md (10 minutes)
	$(BIN)/python -m benchmarks

bench-memory: setup-hosts ## A whole host in 900 MiB under load, beside Airflow as it comes (root, 45 minutes)
	$(BIN)/python -m benchmarks.host.memory
	$(BIN)/python -m benchmarks.host.memory --without-swap

bench-growth: setup-hosts ## An hour of one run a minute in 900 MiB, and what grows (root)
	BENCH_HOST=growth $(BIN)/python -m benchmarks.host.growth

bench-provision: setup-hosts ## From a bare host to a green run, and what Airflow adds to one (root, 10 minutes)
	$(BIN)/python -m benchmarks.host.provision

fuzz: setup ## Search for pages that break the script, for SECONDS (300), guided by coverage
	$(BIN)/python -m tests.fuzz $(or $(SECONDS),300) .cache/fuzz-corpus

INVENTORY ?= inventory/local
test-security: setup ## Attack the demo's host (INVENTORY=...: another test host); counts into docs/security.md
	$(PLAYBOOK) -i $(INVENTORY) tests/security/play.yml -e security_report=docs/security.md

lock: $(UV) ## Update uv.lock and the hash-locked requirements that hosts install
	$(UV) lock --upgrade
	$(MAKE) export

export: $(UV) ## Write the hosts' requirements from uv.lock
	$(UV) export -q --no-default-groups --no-header -o scripts/requirements.txt
	$(UV) pip compile -q --generate-hashes --universal --no-header --no-annotate --python-version 3.11 benchmarks/twarc.in -o benchmarks/twarc.txt
	$(UV) export -q --only-group airflow --no-header -o roles/airflow/files/requirements.txt
	$(UV) export -q --only-group certbot --no-header -o roles/https/files/requirements.txt
	echo "uv==$(UV_VERSION)" | $(UV) pip compile -q --generate-hashes --no-header --universal --python-version 3.11 - > roles/python/files/uv.txt

.PHONY: help try demo demo-stop test setup setup-hosts lint test-fast test-slow test-roles test-role test-security test-browser test-launch test-s3 test-faults fuzz bench bench-memory bench-growth bench-provision lock export

# ---- how the environments come to be

# uv comes into an environment of its own; where Python has no venv, by pip into a folder, which asks for no root either.
$(UV): roles/python/files/uv.txt
	@python3 -c 'import ensurepip, venv' 2>/dev/null || python3 -m pip --version >/dev/null 2>&1 || $(GET_PYTHON)
	@if python3 -c 'import ensurepip, venv' 2>/dev/null; \
	then python3 -m venv .cache/uv && .cache/uv/bin/pip install $(PIP_OPTIONS); \
	else python3 -m pip install --target .cache/uv --upgrade $(PIP_OPTIONS); fi
	@touch $@

PIP_OPTIONS := -q --disable-pip-version-check --require-hashes -r roles/python/files/uv.txt

GET_PYTHON = { echo "python3-venv is missing: installing it with apt"; \
  $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends python3-venv; }

# `make try` never asks for root.
try: GET_PYTHON = { echo "python3 is missing, or it has neither venv nor pip; nothing was installed. Install it, then make try:"; \
  echo "  Debian, Ubuntu: apt-get install python3-venv (as root)    macOS: brew install python@3.13"; exit 1; } >&2

.venv/.synced: $(UV) pyproject.toml uv.lock
	$(UV) sync -q --locked
	@touch $@

.cache/try-venv/.synced: $(UV) pyproject.toml uv.lock
	UV_PROJECT_ENVIRONMENT=.cache/try-venv $(UV) sync -q --locked --no-default-groups --group try
	@touch $@

.cache/airflow-venv/.synced: $(UV) pyproject.toml uv.lock
	UV_PROJECT_ENVIRONMENT=.cache/airflow-venv $(UV) sync -q --locked --only-group airflow --only-group airflow-test
	@touch $@

.cache/twarc-venv/.synced: $(UV) benchmarks/twarc.txt
	$(UV) venv -q --clear --python $(BIN)/python .cache/twarc-venv
	VIRTUAL_ENV=.cache/twarc-venv $(UV) pip sync -q --require-hashes --compile-bytecode benchmarks/twarc.txt
	@touch $@
