#!/usr/bin/env python3
"""A libtorrent session whose DHT node listens on the loopback and does what a line of JSON on its input says.

Says on its output, as lines of JSON, that it is up and what it finds. Ends with its input.
"""
import hashlib
import json
import queue
import sys
import threading
import time
import warnings

import libtorrent as lt

warnings.simplefilter("ignore", DeprecationWarning)

session = lt.session({
    "listen_interfaces": "127.0.0.1:0",
    "enable_dht": True, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "dht_bootstrap_nodes": "",
    # Everybody lives on one address here.
    "dht_restrict_routing_ips": False, "dht_restrict_search_ips": False, "dht_ignore_dark_internet": False,
    "dht_block_ratelimit": 10_000,
    "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.status_notification
    | lt.alert.category_t.dht_notification | lt.alert.category_t.dht_operation_notification,
})


def say(what, **fields):
    print(json.dumps({"what": what, **fields}), flush=True)


def text(data):
    return data.hex() if isinstance(data, bytes) else str(data)


def expanded(seed):
    """The 64 bytes that libtorrent calls a secret key: what ed25519 makes of the 32-byte seed."""
    digest = bytearray(hashlib.sha512(seed).digest())
    digest[0] &= 248
    digest[31] = digest[31] & 63 | 64
    return bytes(digest)


def target(digits):
    return lt.sha1_hash(bytes.fromhex(digits))


wanted = {}


def obey(command):
    do = command["do"]
    if do == "meet":
        wanted[command["id"]] = command["port"]
    elif do == "get_peers":
        session.dht_get_peers(target(command["hash"]))
    elif do == "announce":
        session.dht_announce(target(command["hash"]), command["port"], 0)
    elif do == "put_immutable":
        say("target", target=text(session.dht_put_immutable_item(command["value"]).to_bytes()))
    elif do == "get_immutable":
        session.dht_get_immutable_item(target(command["target"]))
    elif do == "put_mutable":
        session.dht_put_mutable_item(expanded(bytes.fromhex(command["secret"])), bytes.fromhex(command["key"]),
                                     command["value"].encode(), command["salt"].encode())
    elif do == "get_mutable":
        session.dht_get_mutable_item(bytes.fromhex(command["key"]), command["salt"].encode())
    elif do == "sample":
        session.dht_sample_infohashes(("127.0.0.1", command["port"]), target(command["hash"]))
    else:
        raise ValueError(do)


def report(alert):
    kind = alert.what()
    if kind == "listen_succeeded" and alert.socket_type == lt.socket_type_t.udp:
        say("up", port=alert.port)
    elif kind == "dht_get_peers_reply":
        say("peers", hash=text(alert.info_hash.to_bytes()), peers=[f"{ip}:{port}" for ip, port in alert.peers()])
    elif kind == "dht_immutable_item":
        say("immutable", target=text(alert.target.to_bytes()), item=text(alert.item))
    elif kind == "dht_mutable_item":
        say("mutable", key=text(alert.key), salt=text(alert.salt), seq=alert.seq, item=text(alert.item),
            authoritative=alert.authoritative)
    elif kind == "dht_put":
        say("put", stored=alert.num_success)
    elif kind == "dht_sample_infohashes":
        say("samples", count=alert.num_infohashes, samples=[text(it.to_bytes()) for it in alert.samples],
            interval=str(alert.interval))
    elif kind == "dht_live_nodes":
        for node in alert.nodes:
            if text(node["nid"].to_bytes()) in wanted:
                say("met", id=text(node["nid"].to_bytes()))
                del wanted[text(node["nid"].to_bytes())]
    elif kind == "dht_announce":
        say("announced", hash=text(alert.info_hash.to_bytes()), port=alert.port)


commands = queue.Queue()


def read():
    for line in sys.stdin:
        commands.put(json.loads(line))
    commands.put(None)


threading.Thread(target=read, daemon=True).start()
while True:
    try:
        order = commands.get(timeout=0.02)
        if order is None:
            break
        obey(order)
    except queue.Empty:
        pass
    for found in session.pop_alerts():
        report(found)
    if wanted and time.monotonic() % 0.5 < 0.03:
        for port in wanted.values():
            session.add_dht_node(("127.0.0.1", port))
        # An alert that lists the table of the node whose id comes first in here.
        for known in session.dht_state().get(b"node-id", []):
            session.dht_live_nodes(lt.sha1_hash(known[:20]))
sys.stdout.flush()
