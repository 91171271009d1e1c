# The doors for a newcomer: run, test, lint, bench.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
BENCH ?= topics

# With a ROS 2 of the machine's own (sourced), that one is used; else the wheels bring one (x86-64).
HAS_ROS := $(shell $(PYTHON) -c 'import rclpy' 2>/dev/null && echo yes)
SITE := $(if $(HAS_ROS),--system-site-packages)
COMMA := ,
ROS_EXTRA := $(if $(HAS_ROS),,ros-wheels$(COMMA))
ROS_TEST_EXTRA := $(if $(HAS_ROS),,ros-generators$(COMMA))
export AMENT_PREFIX_PATH := $(if $(HAS_ROS),$(AMENT_PREFIX_PATH),$(abspath $(VENV)))
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST

.PHONY: run test lint bench screenshots fuzz soak models system-packages clean

run: $(VENV)/.run models
	$(BIN)/python -m picam_webrtc $(ARGS)

# Two files at a time, then one by one what needs the machine for itself. One test: make test ARGS="-k name".
test: system-packages $(VENV)/.test models lint
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS) test
else
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m "not heavy" test
	$(BIN)/python -m pytest -m heavy test
endif

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.test models
	$(BIN)/python -m bench.$(BENCH) --json $(ARGS)

# A hundred thousand damaged offers, fragments, answers, requests and packets; ARGS="--seed 7" repeats a run.
fuzz: $(VENV)/.test
	$(BIN)/python -m picam_webrtc_test.fuzz $(ARGS)

# Half an hour of viewers, changes and restarts: nothing may grow. Shorter: make soak ARGS="--minutes 3".
soak: $(VENV)/.test
	$(BIN)/python -m bench.soak $(ARGS)

# The pictures in the README, taken from the running pipeline.
screenshots: $(VENV)/.test models
	$(BIN)/python -m docs.screenshots

# Without it the pipeline still streams, and says how to get a model.
models: $(VENV)/.run
	-$(BIN)/python -m picam_webrtc.models fetch

$(VENV)/.run: setup.py | $(VENV)
	$(BIN)/pip install --quiet --editable '.[$(ROS_EXTRA)litert,opencv,bags]'
	touch $@

$(VENV)/.test: setup.py test/constraints.txt $(VENV)/.run
	$(BIN)/pip install --quiet --constraint test/constraints.txt --editable '.[$(ROS_EXTRA)$(ROS_TEST_EXTRA)litert,opencv,bags,test]'
	touch $@

$(VENV):
	$(PYTHON) -m venv $(SITE) $(VENV)

system-packages:
	./test/system-packages

clean:
	rm -rf $(VENV) build install log
