"""What somebody does to the packet filter's table, and to what is kept of its listing."""

from __future__ import annotations

TABLE = "inet netcompose-listed"
FLOWTABLE = "mine { hook ingress priority 0; devices = { lo }; }"
KEPT = "/run/netcompose/listed/listing"

#: What somebody does to the table by hand. ``forward``, ``input``: a chain's last rule's handle.
DRIFT = {
    "rule added": f"nft add rule {TABLE} forward tcp dport 22 accept",
    "rule added in front": f"nft insert rule {TABLE} forward tcp dport 22 accept",
    "rule deleted": f"nft delete rule {TABLE} forward handle $forward",
    "rules in another order": f"nft delete rule {TABLE} forward handle $forward; "
    f'nft insert rule {TABLE} forward oifname @networks drop comment \\"from elsewhere only what is published\\"',
    "comment of a rule": f'nft replace rule {TABLE} forward handle $forward oifname @networks drop comment \\"mine\\"',
    "counter in a rule": f"nft replace rule {TABLE} forward handle $forward oifname @networks counter drop "
    'comment \\"from elsewhere only what is published\\"',
    "set without a name": f"nft replace rule {TABLE} output handle $output fib daddr type local meta l4proto "
    "{ tcp, udp } goto published",
    "chain flushed": f"nft flush chain {TABLE} input",
    "chain added": f"nft add chain {TABLE} mine",
    "chain with a hook added": f"nft 'add chain {TABLE} mine {{ type filter hook input priority 5; }}'",
    "policy": f"nft 'chain {TABLE} forward {{ policy drop; }}'",
    "element added": f"nft 'add element {TABLE} networks {{ eth7 }}'",
    "element deleted": f"nft flush set {TABLE} internal",
    "element of an interval": f"nft 'add element {TABLE} masquerade4 {{ 10.99.0.0/16 }}'",
    "element of a map added": f"nft 'add element {TABLE} published4 {{ tcp . 8888 : 10.7.1.2 . 80 }}'",
    "element of a map deleted": f"nft flush map {TABLE} published_on4",
    "element of a map leads elsewhere": f"nft flush map {TABLE} published4; "
    f'nft \'add element {TABLE} published4 {{ tcp . 8080 comment "f1" : 10.7.1.99 . 80, '
    'udp . 5353 comment "f1" : 10.7.1.2 . 53 }\'',
    "comment of an element": f"nft flush set {TABLE} routed; "
    f'nft "add element {TABLE} routed {{ $left comment \\"mine\\" }}"',
    "element with a timeout": f"nft 'add set {TABLE} mine {{ type ipv4_addr; flags timeout; }}; "
    f"add element {TABLE} mine {{ 10.0.0.1 timeout 1h }}'",
    "set added": f"nft 'add set {TABLE} mine {{ type ipv4_addr; }}'",
    "map added": f"nft 'add map {TABLE} mine {{ type ipv4_addr : verdict; }}'",
    "counter added": f"nft add counter {TABLE} mine",
    "quota added": f"nft 'add quota {TABLE} mine {{ over 1 mbytes; }}'",
    "flowtable added": f"nft 'add flowtable {TABLE} {FLOWTABLE}'",
    "table flushed": f"nft flush table {TABLE}",
    "table deleted": f"nft delete table {TABLE}",
    "all flushed": "nft flush ruleset",
}

#: What may become of the file.
DAMAGE: dict[str, str] = {
    "cut off": f"truncate -s 500 {KEPT}",
    "only the seal": f"truncate -s 64 {KEPT}",
    "empty": f"truncate -s 0 {KEPT}",
    "one letter": f"sed -i 's/accept/Accept/' {KEPT}",
    "one letter of the seal": f"sed -i '1s/^./x/' {KEPT}",
    "longer": f"echo >> {KEPT}",
    "no text": f"head -c 5000 /dev/urandom > {KEPT}",
    "somebody else's": f"chown 65534 {KEPT}",
    "others may write": f"chmod 622 {KEPT}",
    "a link": f"mv {KEPT} /run/elsewhere; ln -s /run/elsewhere {KEPT}",
    "a pipe": f"rm {KEPT}; mkfifo {KEPT}",
    "gone": f"rm {KEPT}",
}
