#!/usr/bin/env python3
"""A libtorrent peer that finds others through the DHT only, or by local discovery only: no tracker, no port mapping.

Usage: libtorrent_peer.py ADDRESS PORT BOOTSTRAP FOLDER [TORRENT|MAGNET [UPLOAD_RATE [DOWNLOAD_RATE]]]
BOOTSTRAP is HOST:PORT[,HOST:PORT...] or "none", or "lsd": no DHT then, but local discovery; or "off": neither. Without a torrent it is a DHT node. Seeds when FOLDER holds the content, downloads otherwise, in both cases
until killed. Prints a JSON line when something changes.
"""
import json
import sys
import time
import warnings

import libtorrent as lt

warnings.simplefilter("ignore", DeprecationWarning)

address, port, bootstrap, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
session = lt.session({
    "listen_interfaces": f"{address}:{port}",
    "enable_dht": bootstrap not in ("lsd", "off"), "enable_lsd": bootstrap == "lsd", "enable_upnp": False, "enable_natpmp": False,
    # uTP off on both sides: the partner speaks TCP only.
    "enable_outgoing_utp": False, "enable_incoming_utp": False,
    "upload_rate_limit": int(sys.argv[6]) if len(sys.argv) > 6 else 0,
    "download_rate_limit": int(sys.argv[7]) if len(sys.argv) > 7 else 0,
    "dht_bootstrap_nodes": "" if bootstrap in ("none", "lsd", "off") else bootstrap,
    # Tests ask more in a second than anybody does: by default the node drops answers above 8,000 B/s.
    "dht_upload_rate_limit": 1_000_000, "dht_block_ratelimit": 1_000,
    "dht_restrict_routing_ips": False, "dht_restrict_search_ips": False,
    "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.status_notification
    | lt.alert.category_t.dht_notification | lt.alert.category_t.connect_notification,
})
handle = None
if len(sys.argv) > 5:
    what = sys.argv[5]
    if what.startswith("magnet:"):
        params = lt.parse_magnet_uri(what)
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(what)
    params.save_path = folder
    handle = session.add_torrent(params)

said = None
while True:
    line = {"dht_nodes": session.status().dht_nodes}
    if handle:
        torrent = handle.status()
        line.update(state=str(torrent.state), done=torrent.total_wanted_done, peers=torrent.num_peers)
        # It announces when the torrent starts, which is before it knows any node, and then every 15 minutes.
        if line["dht_nodes"] > 0 and torrent.num_peers == 0:
            handle.force_dht_announce()
    elif line["dht_nodes"] < 8 and bootstrap not in ("none", "lsd", "off"):
        # A bootstrap node is never put into libtorrent's routing table, an added one is.
        host, _, number = bootstrap.rpartition(":")
        session.add_dht_node((host, int(number)))
    if line != said:
        print(json.dumps(line), flush=True)
        said = line
    for alert in session.pop_alerts():
        print(f"{alert.what()}: {alert.message()}", file=sys.stderr, flush=True)
    time.sleep(1)
