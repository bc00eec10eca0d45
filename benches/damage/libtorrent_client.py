"""A small client on libtorrent: libtorrent_client.py TORRENT|MAGNET FOLDER STATE dht|no-dht. A JSON line each 0.2 s.

What libtorrent leaves to its caller is done as qBittorrent does it: resume data is saved when a torrent is added, each 60 s and
at the end, written beside and renamed; peers may share an address; all else is libtorrent's default.
"""
import json, os, signal, sys, time
import libtorrent as lt

source, folder, home, dht = sys.argv[1:5]
session = lt.session({
    "listen_interfaces": "45.18.0.2:7001", "enable_dht": dht == "dht", "dht_bootstrap_nodes": "", "enable_lsd": False, "enable_upnp": False,
    "enable_natpmp": False, "out_enc_policy": 2, "in_enc_policy": 1, "allow_multiple_connections_per_ip": True,
    "alert_mask": lt.alert.category_t.storage_notification | lt.alert.category_t.error_notification,
})
path = os.path.join(home, "resume")
if os.path.exists(path):
    with open(path, "rb") as file: torrent = lt.read_resume_data(file.read())
elif source.startswith("magnet:"): torrent = lt.parse_magnet_uri(source)
else:
    torrent = lt.add_torrent_params()
    torrent.ti = lt.torrent_info(source)
torrent.save_path = folder
# Started again by hand after a full disk: upload mode was its answer to that.
torrent.flags &= ~lt.torrent_flags.upload_mode
handle = session.add_torrent(torrent)
ending = []
signal.signal(signal.SIGTERM, lambda *_: ending.append(1))


def alerts():
    for alert in session.pop_alerts():
        if isinstance(alert, lt.save_resume_data_alert):
            with open(path + ".new", "wb") as file: file.write(lt.write_resume_data_buf(alert.params))
            os.replace(path + ".new", path)
            return True
        if isinstance(alert, lt.save_resume_data_failed_alert): return True
    return False


saved = 0.0
while not ending:
    status = handle.status()
    if time.monotonic() - saved > 60 or not saved:
        handle.save_resume_data(lt.save_resume_flags_t.save_info_dict)
        saved = time.monotonic()
    alerts()
    text = str(status.state)
    if status.errc.value(): text += f" ({status.errc.message()})"
    if status.flags & lt.torrent_flags.upload_mode: text += ", upload mode"
    print(json.dumps({"done": status.is_seeding, "text": text, "progress": status.progress}), flush=True)
    time.sleep(0.2)
session.pause()
handle.save_resume_data(lt.save_resume_flags_t.save_info_dict)
limit = time.monotonic() + 10
while not alerts() and time.monotonic() < limit: time.sleep(0.02)
