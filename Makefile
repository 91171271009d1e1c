# The doors for a newcomer: run, test, lint, bench.

PYTHON ?= python3
ARGS ?=
BENCH ?= topics
# jazzy or kilted: the tests of that distribution alone.
ROS ?=

# With a ROS 2 of the machine's own (sourced), that one is used; else wheels bring it (x86-64).
HAS_ROS := $(shell $(PYTHON) -c 'import rclpy' 2>/dev/null && echo yes)
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST

# What .venv has is for running. Tests have environments of their own: one for each ROS 2, and one with the lowest
# versions that picam_webrtc/dependencies.py allows.
CACHE := $(abspath .cache)
DISTRIBUTIONS := $(if $(HAS_ROS),system,$(or $(ROS),jazzy kilted))
MAIN := $(firstword $(DISTRIBUTIONS))
OTHERS := $(filter-out $(MAIN),$(DISTRIBUTIONS))
LOWEST := $(if $(ROS)$(HAS_ROS),,lowest)
ENVIRONMENTS := $(DISTRIBUTIONS) $(LOWEST)
EXTRAS := litert,opencv,bags,jpeg,test

# $(call python,ENVIRONMENT): its interpreter, which finds ROS's packages where pip has put them.
python = $(if $(filter system,$(1)),,AMENT_PREFIX_PATH=$(CACHE)/venv-$(1)) $(CACHE)/venv-$(1)/bin/python
pytest = $(call python,$(1)) -m pytest
TWO_AT_A_TIME := --numprocesses 2 --dist loadfile
ROS_TESTS := test/ros test/web/test_end_to_end.py test/launch test/test_launch.py
ENGINE_TESTS := test/camera test/inference test/streaming test/web

.PHONY: run test lint bench screenshots fuzz soak models system-packages clean

run:
	./install.sh
	resource/executables/picam_webrtc $(ARGS)

# Everything with the first ROS 2, what touches ROS with every other one, the engines with the lowest versions: two files
# at a time, then one by one what needs the machine for itself. One test: make test ARGS="-k name".
test: system-packages models lint $(ENVIRONMENTS:%=$(CACHE)/venv-%/ready)
ifneq ($(ARGS),)
	$(call pytest,$(MAIN)) $(ARGS) test
else
	$(call pytest,$(MAIN)) $(TWO_AT_A_TIME) -m "not heavy" test
	$(foreach other,$(OTHERS),$(call pytest,$(other)) $(TWO_AT_A_TIME) -m "not heavy" $(ROS_TESTS) &&) true
	$(if $(LOWEST),$(call pytest,lowest) $(TWO_AT_A_TIME) -m "not heavy and not ros and not browser" $(ENGINE_TESTS))
	$(call pytest,$(MAIN)) -m heavy test
	$(foreach other,$(OTHERS),$(call pytest,$(other)) -m heavy test/ros &&) true
endif

lint: $(CACHE)/venv-$(MAIN)/ready
	$(call python,$(MAIN)) -m ruff check .
	$(call python,$(MAIN)) -m ruff format --check .
	$(call python,$(MAIN)) -m mypy

bench: $(CACHE)/venv-$(MAIN)/ready models
	$(call python,$(MAIN)) -m bench.$(BENCH) --json $(ARGS)

# A hundred thousand damaged offers, fragments, answers, requests and packets; ARGS="--seed 7" repeats a run.
fuzz: $(CACHE)/venv-$(MAIN)/ready
	$(call python,$(MAIN)) -m picam_webrtc_test.fuzz $(ARGS)

# Half an hour of viewers, changes and restarts: nothing may grow. Shorter: make soak ARGS="--minutes 3".
soak: $(CACHE)/venv-$(MAIN)/ready
	$(call python,$(MAIN)) -m bench.soak $(ARGS)

# The pictures in the README, taken from the running pipeline.
screenshots: $(CACHE)/venv-$(MAIN)/ready models
	$(call python,$(MAIN)) -m docs.screenshots

models: $(CACHE)/venv-$(MAIN)/ready
	$(call python,$(MAIN)) -m picam_webrtc.models fetch

RUNTIME := resource/constraints/numpy2.txt test/constraints/tools.txt

$(CACHE)/venv-%/ready: setup.py picam_webrtc/dependencies.py $(wildcard test/constraints/*.txt resource/constraints/*.txt)
	$(PYTHON) -m venv $(if $(filter system,$*),--system-site-packages) $(CACHE)/venv-$*
	touch .cache/COLCON_IGNORE
	$(INSTALL_$*)
	touch $@

# $(call install,ENVIRONMENT,CONSTRAINTS,MORE EXTRAS)
install = $(CACHE)/venv-$(1)/bin/pip install --quiet --no-compile $(addprefix --constraint ,$(2)) --editable '.[$(EXTRAS)$(3)]'
COMMA := ,
INSTALL_jazzy = $(call install,jazzy,$(RUNTIME) resource/constraints/ros-jazzy.txt test/constraints/ros-jazzy.txt,$(COMMA)test-ros-jazzy)
INSTALL_kilted = $(call install,kilted,$(RUNTIME) test/constraints/ros-kilted.txt,$(COMMA)test-ros-kilted)
INSTALL_lowest = $(call install,lowest,test/constraints/tools.txt test/constraints/lowest.txt)
INSTALL_system = $(call install,system,$(RUNTIME))

system-packages:
	./test/system-packages

clean:
	rm -rf .venv .cache build install log
