# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

PYTHON ?= python3
ARGS ?=
TOOLCHAIN = $(PYTHON) -m devtools.toolchain

.DEFAULT_GOAL := help
.PHONY: help test test-quick lint format sanity units units-oldest functional functional-oldest molecule docs package prove demo bench clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 20

test: ## all of the checks below side by side, with their own set-up; nothing but python3, make and git is needed
	@$(TOOLCHAIN) test

test-quick: ## lint, the units and one copy between registries, in little more than a minute
	@$(TOOLCHAIN) test-quick

lint: ## style, documentation, changelog and licences
	@$(TOOLCHAIN) lint

sanity: ## ansible-test sanity on a fresh copy of the tree, also as sanity-2.16 and -2.21; ARGS="--test import" goes to it
	@$(TOOLCHAIN) sanity $(ARGS)

sanity-%:
	@$(TOOLCHAIN) $@ $(ARGS)

units: ## unit tests on the newest stack; ARGS="-k digest" goes to pytest
	@$(TOOLCHAIN) units $(ARGS)

units-oldest: ## unit tests on the oldest supported stack
	@$(TOOLCHAIN) units-oldest $(ARGS)

core-%: # units and smoke test on one release of ansible-core: core-2.16 to core-2.21, and core-devel
	@$(TOOLCHAIN) $@ $(ARGS)

functional: ## modules against real registries, on the newest stack
	@$(TOOLCHAIN) functional $(ARGS)

functional-oldest: ## the same with the oldest ansible-core, and the modules on the oldest supported stack
	@$(TOOLCHAIN) functional-oldest $(ARGS)

molecule: ## roles against real registries; ARGS="-s promote" goes to molecule test
	@$(TOOLCHAIN) molecule $(ARGS)

format: ## write the Python files the way that lint wants them
	@$(TOOLCHAIN) format $(ARGS)

docs: ## the documentation as HTML below .build/docs; a warning is an error
	@$(TOOLCHAIN) docs

package: ## the archive for Galaxy in .build/package, judged by its importer, installed and used
	@$(TOOLCHAIN) package

prove: ## break every promise in every way: faults, kills, hostile servers and files, secrets; ARGS="--seed 7 kills"
	@$(TOOLCHAIN) python -m devtools.prove $(ARGS)

demo: ## a tour through the collection, with real registries
	@PYTHON="$(PYTHON)" demo/run $(ARGS)

bench: ## measure against other tools
	@$(TOOLCHAIN) python -m benchmarks $(ARGS)

clean: ## remove everything that the targets above have made
	rm -rf .build
