#!/usr/bin/env python3
"""Every client downloads the same torrent from the same libtorrent seeder, in turn, between two network namespaces.

Prints one JSON line a run: wall s, downloader CPU s, seeder CPU s, peak RSS MiB; then the medians. Rows "limit" are limit.c:
the same bytes received, hashed and written by one thread, i.e. what the machine allows without a protocol.

Needs root (namespaces), python libtorrent (pip install libtorrent), opentracker and the clients named; on a 2-core box the
seeder takes one core, so CPU seconds are the steadier figure. The download folder should be a tmpfs: disks add noise.
Usage: throughput.py --dir FOLDER [--mib 1024] [--rounds 3] CLIENT...
  CLIENT: ours | lt | aria2 | rqbit | transmission | NAME=COMMAND with {torrent} {magnet} {out} {port} {peer}
"ours" is target/release/trackless of this checkout.
"""
import argparse, hashlib, json, os, shutil, signal, statistics, subprocess, sys, time, urllib.request
HERE = os.path.dirname(os.path.abspath(__file__))
OURS = os.environ.get("TRACKLESS", os.path.join(HERE, "..", "..", "target", "release", "trackless"))
PY = os.environ.get("LT_PYTHON", sys.executable)
SEED_IP, GET_IP = "10.77.0.1", "10.77.0.2"
TRACKER = f"http://{SEED_IP}:6969/announce"

def sh(c): subprocess.run(c, shell=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
def lab_up():
    """Two hosts of our own, seeder and downloader, joined by a veth pair (clients refuse loopback peers)."""
    subprocess.run("ip netns del bs; ip netns del bd", shell=True, stderr=subprocess.DEVNULL)
    sh("ip netns add bs && ip netns add bd && ip link add vbs type veth peer name vbd && ip link set vbs netns bs && ip link set vbd netns bd")
    sh(f"ip -n bs addr add {SEED_IP}/24 dev vbs && ip -n bd addr add {GET_IP}/24 dev vbd && ip -n bs link set vbs up && ip -n bd link set vbd up && ip -n bs link set lo up && ip -n bd link set lo up")
    sh("ip -n bs route add default dev vbs && ip -n bd route add default dev vbd")
def lab_down(): subprocess.run("ip netns del bs; ip netns del bd", shell=True, stderr=subprocess.DEVNULL)

def bencode(o):
    if isinstance(o, int): return b"i%de" % o
    if isinstance(o, bytes): return b"%d:%s" % (len(o), o)
    if isinstance(o, str): return bencode(o.encode())
    if isinstance(o, list): return b"l" + b"".join(map(bencode, o)) + b"e"
    return b"d" + b"".join(bencode(k) + bencode(o[k]) for k in sorted(o)) + b"e"

def make(folder, mib, piece=1 << 20):
    path = os.path.join(folder, "seed", "payload.bin"); os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.exists(path) or os.path.getsize(path) != mib << 20:
        with open(path, "wb") as f:
            for _ in range(mib): f.write(os.urandom(1 << 20))
    pieces = b""; whole = hashlib.sha1()
    with open(path, "rb") as f:
        while b := f.read(piece): pieces += hashlib.sha1(b).digest(); whole.update(b)
    info = {"length": mib << 20, "name": "payload.bin", "piece length": piece, "pieces": pieces}
    t = os.path.join(folder, "payload.torrent")
    open(t, "wb").write(bencode({"announce": TRACKER, "info": info}))
    return t, hashlib.sha1(bencode(info)).hexdigest(), path

def cpu(pid):
    f = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")

def command(client, torrent, magnet, out, port):
    home = out + ".home"; os.makedirs(home, exist_ok=True)
    if client == "ours": return [OURS, "get", "-q", "--no-dht", "--allow-net", "10.77.0.0/24", "--peer", f"{SEED_IP}:7101", "-o", out, torrent]
    if client == "lt": return [PY, f"{HERE}/lt_get.py", torrent, out, str(port), f"{SEED_IP}:7101"]
    if client == "aria2": return ["aria2c", "-q", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false", "--seed-time=0",
        "--file-allocation=none", f"--listen-port={port}", "--bt-max-peers=0", "-d", out, torrent]
    if client == "rqbit": return ["rqbit", "-v", "error", "--disable-dht", "--disable-lsd", "--disable-upnp-port-forward", "--listen-ip", "0.0.0.0", "download", "--disable-http-api", "-e", "-o", out, torrent]
    if client == "transmission":
        open(f"{home}/done.sh", "w").write("#!/bin/sh\nkill -TERM $PPID\n"); os.chmod(f"{home}/done.sh", 0o755)
        json.dump({"utp-enabled": False, "dht-enabled": False, "lpd-enabled": False, "encryption": 0, "cache-size-mb": 32, "speed-limit-down-enabled": False, "speed-limit-up-enabled": False, "peer-limit-global": 500}, open(f"{home}/settings.json", "w"))
        return ["transmission-cli", "-g", home, "-w", out, "-p", str(port), "-f", f"{home}/done.sh", "-M", torrent]
    if "=" in client:
        return ["sh", "-c", "exec " + client.split("=", 1)[1].format(torrent=torrent, out=out, port=port, peer=f"{SEED_IP}:7101", magnet=magnet)]
    raise SystemExit(f"unknown client {client}")

def run(client, torrent, magnet, original, folder, port, seeder):
    out = os.path.join(folder, "out"); shutil.rmtree(out, ignore_errors=True); shutil.rmtree(out + ".home", ignore_errors=True); os.makedirs(out)
    env = dict(os.environ, HOME=out + ".home", XDG_CONFIG_HOME=out + ".home", XDG_DATA_HOME=out + ".home", XDG_CACHE_HOME=out + ".home", XDG_STATE_HOME=out + ".home")
    s0 = cpu(seeder); t0 = time.monotonic()
    log = open(os.path.join(folder, "client.log"), "wb")
    p = subprocess.Popen(["ip", "netns", "exec", "bd"] + command(client, torrent, magnet, out, port), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env, start_new_session=True)
    limit = time.monotonic() + 120; rss = 0
    while True:
        try: rss = max(rss, int(next(l for l in open(f"/proc/{p.pid}/status") if l.startswith("VmHWM")).split()[1]))
        except (OSError, StopIteration): pass
        pid, st, ru = os.wait4(p.pid, os.WNOHANG)
        if pid: break
        if time.monotonic() > limit:
            os.killpg(p.pid, signal.SIGKILL); pid, st, ru = os.wait4(p.pid, 0); break
        time.sleep(0.005)
    wall = time.monotonic() - t0
    f = next((os.path.join(d, "payload.bin") for d, _, n in os.walk(out) if "payload.bin" in n), os.path.join(out, "payload.bin"))
    ok = os.path.exists(f) and subprocess.run(["cmp", "-s", f, original]).returncode == 0
    return dict(client=client.split("=")[0], ok=ok, wall=round(wall, 2), cpu=round(ru.ru_utime + ru.ru_stime, 2), user=round(ru.ru_utime, 2), sys=round(ru.ru_stime, 2), seeder_cpu=round(cpu(seeder) - s0, 2), rss_mib=round(rss / 1024, 1))

if __name__ == "__main__":
    a = argparse.ArgumentParser(); a.add_argument("--mib", type=int, default=1024); a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--dir", required=True); a.add_argument("clients", nargs="+"); a = a.parse_args()
    os.makedirs(a.dir, exist_ok=True)
    lab_up()
    sh(f"cc -O2 -o {a.dir}/limit {HERE}/limit.c -lcrypto")
    t, ih, path = make(a.dir, a.mib)
    wl = os.path.join(a.dir, "whitelist"); open(wl, "w").write(ih + "\n"); os.chmod(wl, 0o644)
    tracker = subprocess.Popen(["ip", "netns", "exec", "bs", "opentracker", "-i", SEED_IP, "-p", "6969", "-w", wl], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); time.sleep(.7)
    seeder = subprocess.Popen(["ip", "netns", "exec", "bs", PY, f"{HERE}/lt_seed.py", t, os.path.dirname(path), "7101", SEED_IP], stdout=subprocess.PIPE); seeder.stdout.readline(); time.sleep(2)
    rows = []
    try:
        for r in range(a.rounds):
            for i, c in enumerate(a.clients):
                row = run(c, t, f"magnet:?xt=urn:btih:{ih}", path, a.dir, 7200 + r * 20 + i, seeder.pid); rows.append(row); print(json.dumps(row), flush=True)
            lim = json.loads(subprocess.run([a.dir + "/limit", path, a.dir + "/lim.bin"], capture_output=True, text=True).stdout or "{}"); os.remove(a.dir + "/lim.bin"); rows.append(dict(lim, ok=True, user=0, sys=0)); print(json.dumps(lim), flush=True)
    finally:
        seeder.terminate(); tracker.terminate(); seeder.wait(); tracker.wait(); lab_down()
    print("--- medians (all runs ok?)")
    for c in dict.fromkeys(x["client"] for x in rows):
        x = [y for y in rows if y["client"] == c]
        print(f"{c:40} wall {statistics.median(y['wall'] for y in x):7.2f}  cpu {statistics.median(y['cpu'] for y in x):7.2f}  rss {statistics.median(y['rss_mib'] for y in x):8.1f}  ok {sum(y['ok'] for y in x)}/{len(x)}")
