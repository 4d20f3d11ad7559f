"""The quickstart, from up to down, in a throw-away host: nothing on this machine is touched, no root is needed."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from netcompose.transports.sandbox import Sandbox

HERE = Path(__file__).parent
FILE = str(HERE / "topology.yaml")

STEPS = [
    ["netcompose", "up", "-f", FILE],
    ["ip", "netns", "exec", "quickstart-web2", "ping", "-c", "1", "-W", "2", "web1"],
    ["ip", "netns", "exec", "quickstart-web1", "ping", "-c", "1", "-W", "2", "web2"],
    ["ip", "netns", "exec", "quickstart-web2", "curl", "-s", "-o", "/dev/null", "-w", "HTTP %{http_code}\\n", "www"],
    ["netcompose", "ps", "-f", FILE],
    ["netcompose", "plan", "-f", FILE, "--detailed-exitcode"],
    ["netcompose", "down", "-f", FILE],
    ["ip", "-brief", "link"],
]


def main() -> int:
    """Run the steps, showing each with its output; the first that fails ends the demo."""
    with Sandbox() as host:
        for step in STEPS:
            shown = shlex.join(step).replace(str(HERE.parent.parent) + "/", "")
            sys.stdout.write(f"\n$ {shown}\n")
            done = host.run(step)
            sys.stdout.write(done.stdout + done.stderr)
            if done.returncode != 0:
                sys.stdout.write(f"this step failed with {done.returncode}\n")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
