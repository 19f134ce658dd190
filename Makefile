# Every task is in scripts/dev.py; this file only names them, for those who have make.
# Pass options on with ARGS: make test ARGS="-k custody"

PYTHON ?= $(shell command -v python3 || command -v python)
TASKS := demo test lint docs bench fuzz faults wheel lock clean

.DEFAULT_GOAL := help
.PHONY: help $(TASKS)

help:
	@$(PYTHON) scripts/dev.py --help

$(TASKS):
	@$(PYTHON) scripts/dev.py $@ $(ARGS)
