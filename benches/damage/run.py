#!/usr/bin/env python3
"""The same faults on every client, side by side, in one run; prints Markdown tables and writes report.md.

A run of some faults or clients replaces those rows and leaves the rest of the report as it was.

    python3 benches/damage/run.py                                      # every fault, every client that is installed
    python3 benches/damage/run.py --only kill9,diskfull --clients trackless,aria2 --report /tmp/report.md

Needs root (network namespaces, tmpfs), Linux, iproute2, util-linux, and the clients: `pip install libtorrent`,
transmission-daemon, aria2, rqbit, and `cargo build --release`. Nothing leaves the machine; what it makes it removes.
"""
import argparse, datetime, fcntl, importlib, json, os, platform, sys, traceback
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import clients, lab

FAULTS = ["kill9", "diskfull", "damage", "magnet", "poisoner", "silent", "memory", "sigterm", "flood", "restart"]
CLIENTS = ["trackless", "libtorrent", "transmission", "aria2", "rqbit"]
ROOT = os.path.dirname(os.path.dirname(HERE))


class Bench:
    """What a fault gets: the lab, the options and a way to make clients with folders of their own."""

    def __init__(self, place, options, kind):
        self.lab, self.options, self.kind, self.made, self.peers = place, options, kind, [], []

    def client(self, folder="client", out=None):
        self.made.append(self.kind(self.lab, self.options, folder, out))
        return self.made[-1]

    def peer(self, peer):
        self.peers.append(peer)
        return peer

    def clear(self):
        for client in self.made: client.kill()
        for peer in self.peers: peer.close()
        self.made, self.peers, self.lab.tracker.peers, self.lab.tracker.silent = [], [], [], False


class Report:
    """report.json beside the report: every row ever measured, with its time; a run replaces its own rows and renders all."""

    def __init__(self, path):
        self.path, self.data = path, os.path.splitext(path)[0] + ".json"

    def add(self, fault, client, row, version):
        with open(self.data, "a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            rows = json.loads(file.read() or "{}")
            rows.setdefault(fault, {})[client] = {"row": row, "version": version, "at": f"{datetime.datetime.now():%Y-%m-%d %H:%M}"}
            file.truncate(0)
            json.dump(rows, file, indent=1)
            with open(self.path, "w") as text: text.write(render(rows))


def render(rows):
    found = [it for fault in rows.values() for it in fault.values()]
    text = "# The same faults on every client\n\n"
    text += f"Measured {min(it['at'] for it in found)} to {max(it['at'] for it in found)}, Linux {platform.release()}, {os.cpu_count()} cores, by `python3 benches/damage/run.py`.\n\n"
    text += "".join(f"- {version}\n" for version in dict.fromkeys(fault[name]["version"] for name in CLIENTS for fault in rows.values() if name in fault))
    return text + "".join(table(name, rows[name]) for name in FAULTS if name in rows)


def cell(value): return " ".join(str(value).replace("|", "/").split())


def table(name, rows):
    fault = importlib.import_module("faults." + name)
    text = f"\n## {fault.TITLE}\n\n{fault.WHAT}\n\nGoal: {fault.GOAL}.\n\n"
    text += "| client | " + " | ".join(fault.COLUMNS) + " |\n|" + "---|" * (len(fault.COLUMNS) + 1) + "\n"
    for client in (client for client in CLIENTS if client in rows):
        text += f"| {client} | " + " | ".join(cell(rows[client]["row"].get(column, "")) for column in fault.COLUMNS) + " |\n"
    return text


def measure(place, options, fault, kind):
    bench = Bench(place, options, kind)
    try: return fault.measure(bench)
    except Exception as error:
        traceback.print_exc()
        return {fault.COLUMNS[0]: f"not measured: {type(error).__name__} {error}"}
    finally: bench.clear()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(FAULTS))
    parser.add_argument("--clients", default=",".join(CLIENTS))
    parser.add_argument("--trackless", default=f"{ROOT}/target/release/trackless")
    parser.add_argument("--rqbit", default="rqbit")
    parser.add_argument("--aria2", default="aria2c")
    parser.add_argument("--transmission", default="transmission-daemon")
    parser.add_argument("--python", default=sys.executable, help="the Python that has libtorrent")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions where one run is a matter of luck")
    parser.add_argument("--gib", type=int, default=10, help="recorded data of the fault restart")
    parser.add_argument("--folder", help="where the files go (default: the system's temporary folder)")
    parser.add_argument("--report", default=f"{HERE}/report.md")
    options = parser.parse_args()
    if "DAMAGE_CLIENT_SPACE" not in os.environ: sys.exit(lab.inside([sys.executable] + sys.argv))
    lab.stop_on_signals()

    kinds, known, report = [], clients.every(), Report(options.report)
    for name in options.clients.split(","):
        try: kinds.append((known[name], known[name].version(type("Asked", (), {"options": options})())))
        except OSError as error: print(f"{name}: not measured ({error})", flush=True)
    place = lab.Lab(options.folder)
    try:
        for name in options.only.split(","):
            rows, fault = {}, importlib.import_module("faults." + name)
            for kind, version in kinds:
                rows[kind.name] = {"row": measure(place, options, fault, kind)}
                report.add(name, kind.name, rows[kind.name]["row"], version)
                print(name, kind.name, rows[kind.name]["row"], flush=True)
            print(table(name, rows), flush=True)
    finally: place.close()


if __name__ == "__main__": main()
