"""Virtual machines as test hosts: one distribution kernel, real network cards, reboots.

In a test (see ../conftest.py for the fixtures)::

    def test_a_vlan_is_tagged_on_the_parent(host):           # shared by the tests of the session
        run(host, "ip", "link", "add", "link", "eth1", "name", "eth1.10", "type", "vlan", "id", "10")

    def test_two_hosts_on_one_segment(pair):                  # the second machine starts for the first test that asks
        left, right = pair

    def test_an_example(example):                             # tests/kernel's: up, plan is empty; at the end down, no trace
        lan = example("quickstart")

By hand: ``python -m virtual [-n 2] [COMMAND...]`` in tests/vm starts machines and runs a command or a small prompt.

- ``machine.py``: a machine, with ``run``, ``popen``, ``put``, ``share`` and QEMU's ``monitor``.
- ``loop.py``: the thread behind it, and ``Segment``, the cable between machines.
- ``qemu.py``: QEMU's process. ``booted.py``: the state that every machine goes on from, so that none has to boot.
- ``image.py``: builds what they boot, from Debian packages. ``guest/``: what is ours in it.
"""
