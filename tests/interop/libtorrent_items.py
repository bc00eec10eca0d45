#!/usr/bin/env python3
"""Stores a value in the DHT with libtorrent, or looks one up (BEP 44), and prints what came of it as JSON.

Usage: libtorrent_items.py ADDRESS PORT BOOTSTRAP put TEXT | get TARGET
                                                | put-key SEED KEY SALT TEXT | get-key KEY SALT
BOOTSTRAP is HOST:PORT; SEED and KEY are hexadecimal. Ends with 1 when nothing came within 30 s.
"""
import hashlib
import json
import sys
import time

import libtorrent as lt

address, port, bootstrap, command = sys.argv[1:5]
rest = sys.argv[5:]
session = lt.session({
    "listen_interfaces": f"{address}:{port}",
    "enable_dht": True, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "dht_bootstrap_nodes": bootstrap,
    "dht_restrict_routing_ips": False, "dht_restrict_search_ips": False,
    "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.status_notification
    | lt.alert.category_t.dht_notification,
})


def expanded(seed):
    """libtorrent wants what ed25519 makes of the seed."""
    key = bytearray(hashlib.sha512(seed).digest())
    key[0] &= 248
    key[31] = key[31] & 63 | 64
    return bytes(key)


def begin():
    if command == "put":
        return str(session.dht_put_immutable_item(rest[0].encode()))
    if command == "get":
        return session.dht_get_immutable_item(lt.sha1_hash(bytes.fromhex(rest[0])))
    if command == "put-key":
        seed, key, salt, text = rest
        key = bytes.fromhex(key)
        return session.dht_put_mutable_item(expanded(bytes.fromhex(seed)), key, text.encode(), salt.encode())
    return session.dht_get_mutable_item(bytes.fromhex(rest[0]), rest[1].encode())


def told(alert):
    """What an alert says that ends the command."""
    if isinstance(alert, lt.dht_put_alert) and command.startswith("put"):
        return {"stored": alert.num_success, "seq": alert.seq}
    if isinstance(alert, lt.dht_immutable_item_alert) and command == "get":
        return {"value": text_of(alert.item)}
    if isinstance(alert, lt.dht_mutable_item_alert) and command == "get-key" and alert.authoritative:
        return {"value": text_of(alert.item), "seq": alert.seq}
    return None


def text_of(item):
    if isinstance(item, dict):
        # Some versions give the item with key, salt and signature around the value.
        item = item.get("value", item.get(b"value", b""))
    return item.decode() if isinstance(item, bytes) else item


host, _, number = bootstrap.rpartition(":")
deadline = time.monotonic() + 30
target = begun = None
while time.monotonic() < deadline:
    if session.status().dht_nodes == 0:
        # A bootstrap node is never put into libtorrent's routing table, an added one is.
        session.add_dht_node((host, int(number)))
    elif not begun:
        begun, target = True, begin()
    for alert in session.pop_alerts():
        print(f"{alert.what()}: {alert.message()}", file=sys.stderr, flush=True)
        answer = told(alert)
        if answer is not None:
            print(json.dumps({"target": target, **answer}), flush=True)
            sys.exit(0)
    time.sleep(0.2)
sys.exit(1)
