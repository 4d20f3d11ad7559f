"""What a run loads that has nothing to do with a container engine: nothing of what speaks to one."""

from __future__ import annotations

import sys
from pathlib import Path

from netcompose.agent import library
from netcompose.transports.sandbox import Sandbox

TOPOLOGY = """
name: lab
networks: {lan: {subnets: [10.0.0.0/24]}}
containers: {a: {networks: [lan], command: [sleep, "1000"], stop_grace_period: 0}}
"""
#: The command line, and what it has loaded.
SAYS_MODULES = """
import sys
from netcompose.cli.main import main
try: status = main(sys.argv[1:])
except SystemExit as end: status = end.code
print(*sorted(sys.modules), file=sys.stderr)
sys.exit(status)
"""


def test_runs_without_images_load_nothing_of_docker_s_sdk(host: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(TOPOLOGY)
    for argv in (["plan"], ["up"], ["plan"], ["ps"], ["exec", "a", "--", "true"], ["logs", "a"], ["down"]):
        done = host.run([sys.executable, "-c", SAYS_MODULES, "--file", str(file), *argv])
        assert done.returncode == 0, done.stderr
        loaded = done.stderr.split()
        assert "netcompose.agent" in loaded
        parts = {module.partition(".")[0] for module in loaded}
        assert not parts & set(library.PARTS), argv
        assert not parts & {"http", "email"}, argv
