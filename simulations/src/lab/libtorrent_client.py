"""libtorrent as a client of the lab: its defaults, but for its port and bootstrap nodes.

Usage: PORT HOST:PORT... Reads a line for each task: `announce HASH PORT` looks for peers and announces itself,
`lookup HASH` only looks. Ends when its input does.
"""
import sys
import threading
import time

import libtorrent as lt

session = lt.session({
    "listen_interfaces": f"0.0.0.0:{sys.argv[1]}",
    "dht_bootstrap_nodes": ",".join(sys.argv[2:]),
    "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.dht_notification
    | lt.alert.category_t.dht_operation_notification,
})


def listen():
    while True:
        session.wait_for_alert(1000)
        for alert in session.pop_alerts():
            print(f"{alert.what()}: {alert.message()}", flush=True)


threading.Thread(target=listen, daemon=True).start()
for line in sys.stdin:
    words = line.split()
    digest = lt.sha1_hash(bytes.fromhex(words[1]))
    if words[0] == "announce":
        session.dht_announce(digest, int(words[2]), 0)
    else:
        session.dht_get_peers(digest)
    print(time.time(), line.strip(), flush=True)
