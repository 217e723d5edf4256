# Two commands matter: `make run` and `make test`. Everything else is for developers.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export CARGO_BUILD_JOBS ?= 2
export MATURIN_NO_INSTALL_RUST := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

SIGNALING_BENCHES := $(filter-out benches/test_core.py,$(wildcard benches/test_*.py))
RUST_SOURCES := Cargo.toml $(wildcard Cargo.lock) $(shell find rust -name '*.rs' -o -name '*.toml')

.PHONY: help run setup cluster cluster-hosts test lint format bench-cluster bench-core bench-gateway fuzz sim soak soak-cluster soak-sessions autobahn bench-signaling docs clean
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

run: setup ## set everything up and start a development node
	@$(BIN)/palaver dev $(ARGS)

setup: $(VENV)/.built ## set everything up; leaves the command at .venv/bin/palaver

$(VENV)/.created:
	@command -v cargo >/dev/null || { echo "palaver needs cargo to build its native core: install Rust 1.85 or newer (Debian: rustup), then run make again"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "palaver needs Python 3.11 or newer: make PYTHON=python3.12 setup"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.dependencies: $(VENV)/.created pyproject.toml
	@$(BIN)/pip install -q "maturin>=1.7,<2"
	@touch $@

$(VENV)/.built: $(VENV)/.dependencies $(RUST_SOURCES)
	@echo "building the native core and installing what palaver needs (about a minute the first time)"
	@$(BIN)/maturin develop -q --release -E dev >$(VENV)/build.log 2>&1 || { cat $(VENV)/build.log; exit 1; }
	@touch $@

test: setup ## set everything up and pass all tests
	cargo test -q --workspace
	$(BIN)/pytest $(ARGS)
	$(BIN)/pytest benches --benchmark-disable # each benchmark once, so that it goes on saying what it measures

lint: setup ## every check that is not a test
	$(BIN)/ruff check python tests benches examples docs
	$(BIN)/ruff format --check python tests benches examples docs
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m mypy.stubtest palaver.core._native
	cargo fmt --all --check
	cargo clippy -q --workspace --all-targets -- -D warnings

cluster: setup ## start five nodes on this machine and watch them (NODES=5)
	@$(BIN)/palaver cluster try --nodes $(or $(NODES),5)

cluster-hosts: setup ## the faults of a cluster on hosts of its own, with a rolling restart of all (root, ip, nft; HOSTS=20)
	HOSTS=$(or $(HOSTS),20) ROLLING=$(or $(HOSTS),20) $(BIN)/pytest tests/integration/test_cluster_hosts.py --durations=0 $(ARGS)

bench-signaling: setup ## what a message costs in the signaling plane, whole and part by part (pytest-benchmark)
	$(BIN)/pytest $(SIGNALING_BENCHES) --benchmark-columns=min,median,mean,ops --benchmark-disable-gc $(ARGS)

bench-gateway: setup ## the gateway beside its rivals (C, picows, Go, node, Janus, Prosody); writes docs/benchmarks.md
	$(BIN)/python benches/compare_gateway.py $(ARGS)

bench-cluster: setup ## a cluster of twenty nodes beside one of Serf (root, ip, nft, serf); ARGS=--write writes docs/gossip.md
	$(BIN)/python benches/compare_cluster.py $(ARGS)

bench-core: setup ## the native core beside foca, chitchat, memberlist and plain Python; writes docs/benchmarks.md
	$(BIN)/python benches/compare_core.py --write $(ARGS)

sim: setup ## simulated clusters over many seeds, with bars; ARGS=--write puts them into docs/gossip.md
	cargo build -q --release -p palaver-sim
	$(BIN)/python benches/simulate.py $(ARGS)

soak: soak-cluster soak-sessions ## the promises of the cluster, then those of sessions

soak-cluster: ## the six promises over ten thousand random histories of simulated clusters (SEEDS=10000)
	cargo run -q --release -p palaver-sim --bin palaver-soak -- $(or $(SEEDS),10000)

fuzz: ## ten million inputs for the decoders of the core, guided by coverage (libFuzzer, needs a C++ compiler)
	INPUTS=$(or $(INPUTS),10000000) sh rust/fuzz/run.sh

soak-sessions: setup ## thousands of sessions for ten minutes: memory, tasks, lost events
	$(BIN)/python tests/soak/soak.py $(ARGS)

autobahn: setup ## run the Autobahn fuzzing client against the gateway (skips without Python 2.7)
	@$(BIN)/python tests/autobahn/run.py $(CASES)

docs: setup ## put the generated tables into the documentation
	@$(BIN)/python docs/generate.py

format: setup ## put the code into its form
	$(BIN)/ruff check -q --fix python tests benches examples docs
	$(BIN)/ruff format -q python tests benches examples docs
	cargo fmt --all

clean: ## remove what was built
	rm -rf $(VENV) target
