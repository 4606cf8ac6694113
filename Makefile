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

test: ## run all of the checks below in parallel; requires only python3, make and git
	@$(TOOLCHAIN) test

test-quick: ## run the linters, the unit tests and one copy between registries
	@$(TOOLCHAIN) test-quick

lint: ## check style, documentation, changelog and licenses
	@$(TOOLCHAIN) lint

sanity: ## run ansible-test sanity on a copy of the tree (also: sanity-2.16, sanity-2.21); ARGS="--test import"
	@$(TOOLCHAIN) sanity $(ARGS)

sanity-%:
	@$(TOOLCHAIN) $@ $(ARGS)

units: ## run the unit tests with the newest versions; ARGS="-k digest"
	@$(TOOLCHAIN) units $(ARGS)

units-oldest: ## run the unit tests with the oldest supported versions
	@$(TOOLCHAIN) units-oldest $(ARGS)

core-%: # run the unit tests and one copy with one release of ansible-core: core-2.16 to core-2.21, or core-devel
	@$(TOOLCHAIN) $@ $(ARGS)

functional: ## test the modules against real registries, with the newest versions
	@$(TOOLCHAIN) functional $(ARGS)

functional-oldest: ## test the modules against real registries, with the oldest supported versions
	@$(TOOLCHAIN) functional-oldest $(ARGS)

molecule: ## test the roles against real registries; ARGS="-s promote"
	@$(TOOLCHAIN) molecule $(ARGS)

format: ## format the Python files
	@$(TOOLCHAIN) format $(ARGS)

docs: ## build the documentation as HTML in .build/docs; warnings are errors
	@$(TOOLCHAIN) docs

package: ## build the Galaxy archive in .build/package, and test it
	@$(TOOLCHAIN) package

prove: ## test every guarantee with faults, kills, hostile servers and files, and secrets; ARGS="--seed 7 kills"
	@$(TOOLCHAIN) python -m devtools.prove $(ARGS)

demo: ## run a tour of the collection with a real registry
	@PYTHON="$(PYTHON)" demo/run $(ARGS)

bench: ## compare the modules with other tools
	@$(TOOLCHAIN) python -m benchmarks $(ARGS)

clean: ## remove everything that the other targets create
	rm -rf .build
