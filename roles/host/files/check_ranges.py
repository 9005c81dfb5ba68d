"""Say why this connection would be cut by the firewall, or nothing.

Reads from standard input {"connection": $SSH_CONNECTION, "port": n, "ranges": {name: [networks]}} and prints one line
per complaint. $SSH_CONNECTION is "client-address client-port server-address server-port" (man ssh), or empty.
"""

import ipaddress
import json
import sys

asked = json.load(sys.stdin)
networks: dict[str, list[ipaddress.IPv4Network | ipaddress.IPv6Network]] = {name: [] for name in asked["ranges"]}
for name, ranges in asked["ranges"].items():
    for text in ranges:
        try:
            networks[name].append(ipaddress.ip_network(text))
        except ValueError as error:
            print(f"{name}: {error}. Give an address or a network, such as 192.0.2.0/24 or 2001:db8::/32.")
client, _, _, port = asked["connection"].split() if asked["connection"] else ("::1", "", "", asked["port"])
address = ipaddress.ip_address(client.partition("%")[0])
address = getattr(address, "ipv4_mapped", None) or address
if address.is_loopback:  # Ansible on the host itself, or a tunnel that ends there (AWS SSM): always let in
    pass
elif not networks["host_admin_ranges"]:
    print("host_admin_ranges: is empty, so nobody could reach SSH. Give your address or network.")
elif not any(address in network for network in networks["host_admin_ranges"]):
    print(f"host_admin_ranges: your own address, as this host sees it, is {address}, in none of them. Add it.")
if int(port) != asked["port"]:
    print(f"host_ssh_port: is {asked['port']}, but you came in through port {port}. Set it to that.")
