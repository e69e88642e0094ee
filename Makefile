# `make help` says what there is. Overridable: VENV, EXTRAS, PYTHON, JOBS, EPISODES, MINUTES, PIPFLAGS, HOSTS.
VENV ?= .venv
EXTRAS ?=
JOBS ?= 2
OUT ?= runs/$(shell date +%Y%m%d-%H%M%S)
EPISODES ?= 300
MINUTES ?= 6
HOSTS ?=

# An environment is as good as what it was made from: the stamp's name holds a checksum of that.
KEY := $(shell { pwd; cat pyproject.toml constraints.txt .ci/environment; } | cksum | cut -d' ' -f1)
comma := ,
RUN_EXTRAS := vlm$(if $(EXTRAS),$(comma)$(EXTRAS))
DEV_EXTRAS := dev$(if $(EXTRAS),$(comma)$(EXTRAS))
CORE := $(VENV)/.stamp-$(KEY)-$(RUN_EXTRAS)
DEV := $(VENV)/.stamp-$(KEY)-$(DEV_EXTRAS)
BIN := $(VENV)/bin
# One core per process: pools of threads cost more than they bring at this size.
export OMP_NUM_THREADS ?= 1

.PHONY: help run test test-all check format bench adapters lerobot usd doctor clean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-9s %s\n", $$1, $$2}' Makefile

run: $(CORE)  ## evaluate the nano, let it learn by what happens, evaluate it again; pictures in runs/
	$(BIN)/refergym lift workers=$(JOBS) minutes=$(MINUTES) episodes=$(EPISODES) out=$(OUT)

test: $(DEV) check  ## `make check`, then the tests (not the slow ones)
	$(BIN)/python -m pytest -q -m "not slow" -n $(JOBS) --dist loadfile

test-all: $(DEV) check  ## the same with the slow tests
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile

check: $(DEV)  ## ruff, ruff format, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

format: $(DEV)  ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV)  ## speed and memory, as ratios; makes the peers' environments in .bench/
	@met=0; for b in speed tasks rewards dialects serving remote nano stages worlds; do $(BIN)/python tests/bench/$$b.py || met=1; done; \
	$(BIN)/python tests/bench/peers.py && exit $$met

adapters: $(DEV)  ## the adapters in TRL's, OpenEnv's and verl's own environments, made in .adapters/ (HOSTS=trl)
	$(BIN)/python tests/rollouts/adapters/hosts.py $(HOSTS)

lerobot: $(DEV)  ## read an export back by lerobot's own loader; makes its environment in .bench/
	@$(BIN)/python tests/bench/lerobot.py

usd: $(DEV)  ## check exported stages by NVIDIA's validator; makes its environment in .bench/
	@$(BIN)/python tests/bench/usd_validation.py

doctor: $(CORE)  ## what works on this machine, and what mends the rest
	$(BIN)/refergym doctor

clean:  ## remove the environments and everything made by these commands
	[ ! -e $(VENV)/pyvenv.cfg ] || rm -rf $(VENV)
	rm -rf .adapters .bench build dist runs .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# Everything in an environment with the dev extra is also in one without.
$(CORE):
	@[ -e $(DEV) ] || .ci/environment $(VENV) $(RUN_EXTRAS)
	@touch $@

$(DEV):
	@.ci/environment $(VENV) $(DEV_EXTRAS)
	@touch $@
