# All commands of the project. `make test` needs only git, make and Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
MINUTES ?= 30
SERVICE ?= pypi
# Most tests wait for other processes: more of them than CPUs run at once.
PARALLEL := -n 4 --dist worksteal
# What it takes to build slapdcheck's ldap0, which bench.peers installs for itself
SLAPDCHECK := gcc libc6-dev libldap-dev libsasl2-dev openssl
BUSY := $(BIN)/python -m bench.busy

MAKEFLAGS += --no-print-directory
.PHONY: help venv packages demo bench bench-content bench-workload bench-faults test docker-build check check-busy e2e screenshots soak soak-healthy soak-traffic reloads history-year kills fuzz audit sbom deb deb-test docs site format lock clean
help:  ## Print this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

venv: .venv/ready  ## Make the virtual environment from the lock file

.venv/ready: locks/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed; set it: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || ./scripts/install-packages python3-venv
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r locks/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

# dma sends mail without a daemon; without it nagios4-core would install exim
packages:  ## Install the programs that the tests use, if permitted
	@./scripts/install-packages slapd ldap-utils keepalived faketime haproxy prometheus systemd mandoc man-db
	@./scripts/install-packages monitoring-plugins-standard icinga2-bin nagios4-core dma
	@./scripts/install-packages chromium chromium-driver || echo 'no Chromium: tests/browser is skipped' >&2

demo: venv  ## Show verdicts on a four-node cluster with real faults
	@./scripts/install-packages slapd ldap-utils
	$(BIN)/python -m demo

bench: venv packages  ## Measure rounds, rounds at once, one-shot checks, their peers, keepalived's script, a dead agent, the agent, a scrape, the history and the page
	$(BIN)/python -m bench.round
	$(BIN)/python -m bench.rounds_at_once
	$(BIN)/python -m bench.round_parts
	$(BIN)/python -m bench.one_shot
	@./scripts/install-packages $(SLAPDCHECK) || echo 'bench.peers goes on without slapdcheck' >&2
	$(BIN)/python -m bench.peers
	$(BIN)/python -m bench.shim
	$(BIN)/python -m bench.dead_agent
	$(BIN)/python -m bench.agent
	$(BIN)/python -m bench.decisions
	$(BIN)/python -m bench.backtest
	$(BIN)/python -m bench.scrape
	$(BIN)/python -m bench.history
	$(BIN)/python -m bench.page
	$(BIN)/python -m bench.crowd

bench-content: venv packages  ## Measure comparing 200,000 entries on four servers
	$(BIN)/python -m bench.content

bench-workload: venv packages  ## Measure learning from a log of a million operations (five minutes)
	$(BIN)/python -m bench.workload

bench-faults: venv packages  ## Inject faults, compare what four checkers find, write docs/evidence.md (about 20 minutes)
	$(BIN)/python -m bench.faults --write docs/evidence.md

test: venv packages check e2e  ## Install missing packages and run all checks and tests

e2e: venv packages  ## Test with keepalived and IPVS in User-Mode Linux
	@./scripts/install-packages user-mode-linux iproute2 gcc libc6-dev
	$(BIN)/pytest tests/e2e

check: venv site  ## Format, lint, direction of imports, types, tests, links of the documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/mypy
	$(BIN)/pytest $(PARALLEL) -m 'not e2e'

check-busy: venv packages site  ## All tests three times, while other processes keep every CPU busy (an hour and a half)
	@./scripts/install-packages user-mode-linux iproute2 gcc libc6-dev
	for run in 1 2 3; do \
	  $(BUSY) $(BIN)/pytest $(PARALLEL) -m 'not e2e' && $(BUSY) $(BIN)/pytest tests/e2e || exit; \
	done

screenshots: venv packages  ## Test the page in Chromium and write screenshots to build/screenshots
	$(BIN)/pytest tests/browser

soak: venv packages soak-healthy soak-traffic  ## Run the long tests: two balancers for 2 minutes, soak-healthy, soak-traffic
	$(BIN)/pytest -s --soak-seconds 120 tests/slapd/test_two_balancers.py

reloads: venv  ## Memory of an agent that reloads 10,000 times (10 minutes), and of a simulated week
	$(BIN)/pytest -s --reloads 10000 tests/cli/test_agent_signals.py -k memory
	$(BIN)/pytest -s --days 7 tests/agent/test_simulated_day.py

soak-traffic: venv packages  ## Memory each minute of an agent with many clients, for two hours
	$(BIN)/pytest -s --traffic-seconds 7200 tests/slapd/test_traffic.py

soak-healthy: venv packages  ## An agent under healthy load with restarts, also with all CPUs busy (MINUTES=30 each)
	$(BIN)/python -m bench.soak --minutes $(MINUTES)
	$(BIN)/python -m bench.soak --minutes $(MINUTES) --busy

history-year: venv  ## 400 days of 100 servers in a history: its size, its memory, its quantiles (10 minutes)
	$(BIN)/pytest -s --history-servers 100 tests/store/test_history_year.py

kills: venv packages  ## Kill an agent (SIGKILL) at 300 random moments, and check what it kept (20 minutes)
	$(BIN)/pytest -s --kills 300 tests/slapd/test_kills.py tests/store/test_history_kills.py tests/agent/test_journal_kills.py

fuzz: venv  ## Try random input on all that reads what others wrote (MINUTES=30, for each of two kinds)
	$(BIN)/pytest -s -n 2 --fuzz-minutes $(MINUTES) tests/fuzz

build/audit/ready: locks/audit.txt
	$(PYTHON) -m venv build/audit
	build/audit/bin/pip install --quiet --disable-pip-version-check --require-hashes -r locks/audit.txt
	@touch $@

# --strict: a package that the database does not know is an error, not a note
audit: build/audit/ready  ## Look for known vulnerabilities of the locked versions (SERVICE=osv for the other database)
	for lock in runtime build dev audit docs; do \
	    build/audit/bin/pip-audit --strict --progress-spinner off --disable-pip --require-hashes \
	        --vulnerability-service $(SERVICE) -r locks/$$lock.txt || exit 1; done

sbom: build/audit/ready  ## Write build/sbom.json, the bill of materials of the locked versions (CycloneDX)
	build/audit/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
	    --output-format JSON --output-file build/sbom.json locks/runtime.txt

docs: venv  ## Generate the references, the dashboard and the man pages from what they describe
	$(BIN)/python scripts/configuration_reference.py
	$(BIN)/python scripts/metrics_reference.py
	$(BIN)/python scripts/reason_codes_reference.py
	$(BIN)/python scripts/grafana_dashboard.py
	$(BIN)/python scripts/generate_templates.py
	$(BIN)/python scripts/man_pages.py

build/sphinx/ready: locks/docs.txt
	$(PYTHON) -m venv build/sphinx
	build/sphinx/bin/pip install --quiet --disable-pip-version-check --require-hashes -r locks/docs.txt
	@touch $@

# a dead link, a missing anchor and a page that docs/index.md does not list are errors
site: build/sphinx/ready  ## Build the documentation as a site in build/site; a dead link is an error
	rm -rf build/site build/site-pages
	build/sphinx/bin/sphinx-build --quiet --nitpicky --fail-on-warning -c docs/site -d build/site-pages . build/site
	@echo 'build/site/index.html is the documentation'

format: venv  ## Format the code and apply automatic fixes
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docker-build:  ## Build both images, with a Docker engine or with buildah
	./docker/build

deb:  ## Build the Debian package of this machine's release in build/deb
	@./scripts/install-packages build-essential debhelper dh-python dpkg-dev python3-venv
	./scripts/build-deb

deb-test:  ## Build, install, upgrade, remove and purge the package in roots of Debian 12 and 13 (ten minutes, as root)
	@./scripts/install-packages mmdebstrap
	./scripts/test-deb

lock:  ## Update the lock files (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes -q pyproject.toml -o locks/runtime.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes -q pyproject.toml --group dev -o locks/dev.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes -q --group audit -o locks/audit.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes -q --group docs -o locks/docs.txt
	printf 'hatchling\n' | uv pip compile --universal --python-version 3.11 --generate-hashes -q -c locks/dev.txt - -o locks/build.txt

clean:  ## Remove generated files
	rm -rf build .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
