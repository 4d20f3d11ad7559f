# Two commands do everything: `make demo` and `make test`. Both install what is missing first.

VENV := .venv
# Kernel tests wait for the kernel more than they work: two for each processor.
JOBS := $(shell echo $$((2 * $$(nproc))))
PY   := $(VENV)/bin/python
RUN  := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"

.PHONY: demo test test-vm unit lint types bench clean

demo: $(VENV)/ready           ## bring the quickstart up in a throw-away host, prove it, take it down
	@tools/need ip:iproute2 ping:iputils-ping curl:curl nft:nftables nsenter:util-linux
	@$(RUN) $(PY) examples/quickstart/demo.py

# What the virtual machines boot is made beside lint and types, where it is not there yet; if it cannot be, tests say so.
test: $(VENV)/ready           ## lint, types, and everything
	@tools/need ip:iproute2 ping:iputils-ping curl:curl nft:nftables tcpdump:tcpdump nsenter:util-linux \
		sshd:openssh-server ssh:openssh-client sudo:sudo \
		setpriv:util-linux ps:procps getent:libc-bin dot:graphviz dig:bind9-dnsutils unbound:unbound \
		iptables:iptables dockerd:docker.io docker-compose:docker-compose qemu-system-x86_64:qemu-system-x86 \
		busybox:busybox-static docker-registry:docker-registry podman:podman qemu-aarch64:qemu-user
	@PYTHONPATH=tests/vm $(PY) -m virtual.booted & made=$$!; set -x; \
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy; \
	status=$$?; set +x; wait $$made; exit $$status
	@# Once, and not by every process that a test starts, where the environment lets Python write no bytecode.
	$(PY) -m compileall -q orchestrator
	env -u PYTHONDONTWRITEBYTECODE $(RUN) $(PY) -m pytest -q -n $(JOBS) --dist worksteal tests

test-vm: $(VENV)/ready        ## the tests in virtual machines with a distribution's kernel alone
	@tools/need ip:iproute2 tcpdump:tcpdump qemu-system-x86_64:qemu-system-x86 ssh:openssh-client setpriv:util-linux
	PYTHONPATH=tests/vm $(PY) -m virtual.booted
	$(RUN) $(PY) -m pytest -q -n 2 --dist worksteal tests/vm

unit: $(VENV)/ready           ## the pure tests alone
	$(PY) -m pytest -q tests/unit

lint: $(VENV)/ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/ready
	$(VENV)/bin/mypy

bench: $(VENV)/ready          ## the published comparison; needs root
	@tools/need ip:iproute2 ss:iproute2 ping:iputils-ping nsenter:util-linux nft:nftables iperf3:iperf3 \
		sshd:openssh-server ssh:openssh-client \
		iptables:iptables dockerd:docker.io docker-compose:docker-compose busybox:busybox-static
	$(PY) -m pip install -q --disable-pip-version-check -e '.[bench]'
	$(RUN) $(PY) -m benchmarks

$(VENV)/ready: pyproject.toml
	@tools/need python3:python3
	@python3 -c 'import ensurepip' 2>/dev/null || tools/need --package python3-venv
	python3 -m venv $(VENV)
	$(PY) -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
