# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The way to everything that is done in this repository; `make` alone lists it.

SHELL := /bin/bash
# A python3 on PATH may be the shim of a version that is not there: take the first that runs.
PYTHON3 := $(shell for python in python3 /usr/bin/python3; do "$$python" -c "" 2>/dev/null && echo "$$python" && break; done)
PYTHON := .venv/bin/python
LAB_STATE ?= build/lab
FLEET ?= demo
MUTANTS ?= 20
CORES := $(shell nproc 2>/dev/null || echo 2)

# ansible-core refuses to start in another locale's encoding than UTF-8.
export LC_ALL := C.UTF-8
export PYTHONPATH := build/dev:tests
export PYTHONDONTWRITEBYTECODE := 1
export ANSIBLE_HOME := $(CURDIR)/build/ansible
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/build/dev:$(CURDIR)/build/collections
PYTEST := $(PYTHON) -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup artifact demo demo-picture test unit integration drift-matrix canaries bad-inputs ansible-oldest contract windows-host lint mutants fuzz faults sanity galaxy matrix docs docs-external docs-lint pictures lab lab-stop bench clean

help:  ## this list
	@echo "cloudhsm.codesign: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## make this machine ready: system packages, .venv, collections; the second time it takes a moment
	@test -n "$(PYTHON3)" || { echo "setup: no python3 runs on this machine: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON3) scripts/setup.py
	$(if $(filter setup,$(MAKECMDGOALS)),@echo "setup: ready")

artifact:
	@test -n "$(PYTHON3)" || { echo "setup: no python3 runs on this machine: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON3) scripts/setup.py --artifact

demo: artifact  ## the whole procedure on a fleet without Windows: set up, sign, verify, repair
	@ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/build/collections" $(PYTHON) scripts/demo.py

demo-picture: artifact  ## the same, drawn as the terminal picture of README
	@ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/build/collections" $(PYTHON) scripts/demo.py --record docs/pictures/demo.svg

test: artifact  ## everything below that this machine can run, with one summary at the end
	@$(PYTHON) scripts/check.py

unit: setup  ## unit tests and the lab's own tests, with the coverage of plugins/
	@$(PYTHON) scripts/check.py unit

integration: artifact  ## the playbooks against the lab, by molecule and pytest
	@$(PYTHON) scripts/check.py integration

drift-matrix: artifact  ## every damage of docs/drift.md on one fleet, through drift, site and drift again (a sample of it is in integration)
	@$(PYTHON) scripts/check.py drift-matrix

canaries: artifact  ## every password of tests/support/canaries.py through every module and playbook, and a search everywhere (a part of it is in unit and integration)
	@$(PYTHON) scripts/check.py canaries

bad-inputs: setup  ## 200 inputs of any kind into each reader, and hostile names; the counts into docs/reliability.md (a part of it is in unit)
	@$(PYTHON) scripts/check.py bad-inputs

ansible-oldest: setup  ## the oldest ansible-core that is supported, in build/ansible-oldest: the canaries go through it too where it is there
	@$(PYTHON3) scripts/setup.py --ansible-oldest

contract: setup  ## the command lines and recordings against the real SignTool, run_steps.ps1 under a real PowerShell
	@$(PYTHON3) scripts/setup.py --contract
	@$(PYTHON) scripts/check.py contract

windows-host: setup  ## the whole way without the lab: WinRM, PowerShell for Windows and the real SignTool under Wine (needs CODESIGN_POWERSHELL_WINDOWS_ARCHIVE)
	@$(PYTHON) scripts/check.py windows-host

lint: setup  ## ansible-test sanity, ansible-lint, ruff, mypy, yamllint, antsibull-docs, antsibull-changelog; with a PowerShell, what 5.1 lacks
	@$(PYTHON) scripts/check.py lint

mutants: setup  ## wrong changes to a copy of the product, one by one: does a test notice? (MUTANTS=20 of each kind, SEED=number, ONLY=text)
	@$(PYTHON) scripts/mutants.py --number $(MUTANTS) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only "$(ONLY)")

fuzz: setup  ## anything into every reader, until Ctrl-C or a failure; by atheris where it is installed (ONLY=text in a reader's name)
	@$(PYTHON) scripts/fuzz.py "$(ONLY)"

faults: setup  ## every module with every fault at everything that it comes to, figures into docs/reliability.md (ONLY=text in a story's name, WITHOUT=text, SHARE=n for every n-th)
	@$(PYTHON) -m faults $(if $(ONLY),--only "$(ONLY)") $(if $(WITHOUT),--without "$(WITHOUT)") $(if $(SHARE),--share $(SHARE))

sanity: setup  ## ansible-test sanity alone
	@$(PYTHON) scripts/lint.py sanity

galaxy: artifact  ## Galaxy's own importer over the built collection (in build/galaxy)
	@$(PYTHON) scripts/galaxy.py --install

matrix: artifact  ## unit tests and an integration run under each supported ansible-core, on the Pythons that are here (ONLY="2.20 py3.13" for some)
	@$(PYTHON) scripts/matrix.py $(ONLY)

docs-lint: setup  ## the modules' documentation and the changelog alone
	@$(PYTHON) scripts/lint.py docs changelog

docs: setup  ## the documentation's site into build/docs/html, its links checked (its tools go into build/docs-venv)
	@$(PYTHON) scripts/docsite.py

docs-external: setup  ## ask the addresses outside of the site; without network it says so
	@$(PYTHON) scripts/docsite.py --external || test $$? -eq 77

pictures: setup  ## draw the documentation's pictures from their sources
	@$(PYTHON) scripts/pictures.py

lab: artifact  ## start a fleet without Windows and print its inventory (FLEET=demo or a file, LAB_STATE=build/lab)
	@$(PYTHON) -m lab start --fleet $(FLEET) --state $(LAB_STATE)
	@echo 'First: export PATH="$(CURDIR)/.venv/bin:$$PATH" ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/build/collections"      Stop: make lab-stop'

lab-stop: setup  ## stop that fleet
	@$(PYTHON) -m lab stop --state $(LAB_STATE)

bench: artifact  ## calls, seconds and processor time against plain tasks, into docs/performance.md (PARTS="set_up sign", all)
	@$(PYTHON) -m bench $(PARTS)

clean:  ## remove what was made here, but not .venv and the fetched wheel
	@if [ -x $(PYTHON) ] && [ -d $(LAB_STATE) ]; then $(PYTHON) -m lab stop --state $(LAB_STATE) || true; fi
	@rm -rf .ansible .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
	@if [ -d build ]; then find build -mindepth 1 -maxdepth 1 ! -name wheels -exec rm -rf {} +; fi
	@find . -name __pycache__ -type d -not -path "./.venv/*" -prune -exec rm -rf {} +
