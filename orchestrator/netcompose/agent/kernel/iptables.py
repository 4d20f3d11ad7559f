"""The host's iptables filter tables, as far as a Docker Engine has made them its own.

Docker's chains drop what is forwarded and not Docker's (policy DROP of FORWARD), and an accept in a table of ours does
not overrule that. ``DOCKER-USER`` is the chain that Docker leaves to others (docs.docker.com, "Packet filtering and
firewalls"). What is there is read and written with the programs that Docker itself uses, so that the tables stay
readable for it, whichever of iptables' two backends the host has.
"""

from __future__ import annotations

import shlex
import socket
import struct
from typing import Callable, Iterator, Mapping, Optional, Sequence, Tuple

from netcompose.agent import programs
from netcompose.agent.kernel.netlink import NLMSG_ERROR, attr_text, attributes
from netcompose.errors import KernelRefused

#: The programs by family; their tables in the kernel have other names (nfproto, nf_tables; /proc/net for the old ones).
PROGRAMS = ("iptables", "ip6tables")
_NFPROTO = {"iptables": 2, "ip6tables": 10}
_LEGACY = {"iptables": "/proc/net/ip_tables_names", "ip6tables": "/proc/net/ip6_tables_names"}

_NETLINK_NETFILTER = 12
_NFT_GET_CHAIN = 10 << 8 | 4  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETCHAIN
_NFTA_CHAIN_TABLE, _NFTA_CHAIN_NAME, _NFTA_CHAIN_POLICY = 1, 3, 5
_HEADER = 16 + 4  # struct nlmsghdr, struct nfgenmsg
_DROP = 0
_TIMEOUT = 60.0

#: A rule is its words as ``iptables -S`` prints them, without ``-A CHAIN``; a filter table is its chains by name.
Rule = Tuple[str, ...]
Filter = Mapping[str, Tuple[Rule, ...]]


def dockers() -> dict[str, Filter]:
    """The filter tables in which there are Docker's chains, by program. A host without Docker costs two messages."""
    found = {}
    for program in PROGRAMS:
        if _policy(program, "DOCKER") is not None or _has_legacy(program):
            table = _list(program)
            if "DOCKER" in table:
                found[program] = table
    return found


def drops(program: str) -> bool:
    """True if the family's FORWARD chain drops what no rule accepts."""
    return _policy(program, "FORWARD") == _DROP


def replace(program: str, chain: str, ours: Callable[[Rule], bool], new: Sequence[Rule]) -> None:
    """Put new rules in the place of ours, before the chain's final RETURN, in one transaction.

    Whoever else has rules in the chain is heard first, and stays.
    """
    rules = _list(program).get(chain, ())
    lines = [shlex.join(["-D", chain, *rule]) for rule in rules if ours(rule)]
    position = len(effective([rule for rule in rules if not ours(rule)])) + 1
    lines += [shlex.join(["-I", chain, str(position + number), *rule]) for number, rule in enumerate(new)]
    if lines:
        text = "*filter\n{}\nCOMMIT\n".format("\n".join(lines))
        done = _run([program + "-restore", "--noflush", "--wait"], text)
        if done.status != 0:
            words = " ".join(line.strip() for line in done.stderr.strip().splitlines()[:2])
            raise KernelRefused("{}-restore refused the rules in {}: {}".format(program, chain, words))


def effective(rules: Sequence[Rule]) -> Sequence[Rule]:
    """The rules that packets meet: those before one that returns all of them."""
    end = ("-j", "RETURN")
    return rules[: list(rules).index(end)] if end in rules else rules


def _list(program: str) -> Filter:
    done = _run([program, "--wait", "-S"], "")
    chains: dict[str, list[Rule]] = {}
    for what, chain, *words in _lines(done.stdout):
        rules = chains.setdefault(chain, [])
        if what == "-A":
            rules.append(tuple(words))
    return {chain: tuple(rules) for chain, rules in chains.items()}


def _lines(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("-"):
            yield shlex.split(line)


def _run(argv: list[str], text: str) -> programs.Finished:
    try:
        return programs.run(argv, text, _TIMEOUT)
    except FileNotFoundError:
        # Docker's rules without Docker's tools: nobody can have made them but in another mount namespace.
        return programs.Finished(127, "", "there is no program {}".format(argv[0]))
    except TimeoutError:
        raise KernelRefused("{} did not answer within {:g} s".format(argv[0], _TIMEOUT)) from None


def _policy(program: str, chain: str) -> Optional[int]:
    """What a chain of the filter table does in the end (-1 for one that only others jump to); None if it is not there.

    One message to the kernel: starting a program would cost every plan some milliseconds.
    """
    body = struct.pack("=BBH", _NFPROTO[program], 0, 0)
    body += attr_text(_NFTA_CHAIN_TABLE, "filter") + attr_text(_NFTA_CHAIN_NAME, chain)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER) as netfilter:
            netfilter.send(struct.pack("=IHHII", 16 + len(body), _NFT_GET_CHAIN, 1, 1, 0) + body)
            answer = netfilter.recv(1 << 16)
    except OSError:
        return None
    (kind,) = struct.unpack_from("=H", answer, 4)
    if kind == NLMSG_ERROR:
        return None
    for attribute, value in attributes(answer, _HEADER):
        if attribute == _NFTA_CHAIN_POLICY:
            return int.from_bytes(value, "big")
    return -1


def _has_legacy(program: str) -> bool:
    try:
        with open(_LEGACY[program]) as file:
            return "filter" in file.read().split()
    except OSError:
        return False
