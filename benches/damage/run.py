#!/usr/bin/env python3
"""The same faults on every client, side by side, in one run; prints Markdown tables and writes report.md.

    python3 benches/damage/run.py                                      # every fault, every client that is installed
    python3 benches/damage/run.py --only kill9,diskfull --clients trackless,aria2 --report /tmp/report.md

Needs root (network namespaces, tmpfs), Linux, iproute2, util-linux, and the clients: `pip install libtorrent`,
transmission-daemon, aria2, rqbit, and `cargo build --release`. Nothing leaves the machine; what it makes it removes.
"""
import argparse, datetime, importlib, os, platform, sys, traceback
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import clients, lab

FAULTS = ["kill9", "diskfull", "damage", "magnet", "poisoner", "silent", "memory", "sigterm", "flood", "restart"]
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


def table(fault, rows):
    text = f"\n## {fault.TITLE}\n\n{fault.WHAT}\n\nGoal: {fault.GOAL}.\n\n"
    text += "| client | " + " | ".join(fault.COLUMNS) + " |\n|" + "---|" * (len(fault.COLUMNS) + 1) + "\n"
    for name, row in rows: text += f"| {name} | " + " | ".join(str(row.get(column, "")) for column in fault.COLUMNS) + " |\n"
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
    parser.add_argument("--clients", default="trackless,libtorrent,transmission,aria2,rqbit")
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

    kinds, known = [], clients.every()
    head = f"# The same faults on every client\n\nMeasured {datetime.date.today()}, Linux {platform.release()}, {os.cpu_count()} cores, by\n\n"
    head += f"    python3 benches/damage/run.py --only {options.only} --clients {options.clients} --rounds {options.rounds} --gib {options.gib}\n\n"
    for name in options.clients.split(","):
        try:
            head += f"- {known[name].version(type('Asked', (), {'options': options})())}\n"
            kinds.append(known[name])
        except OSError as error: head += f"- {name}: not measured ({error})\n"
    print(head, flush=True)
    place, text = lab.Lab(options.folder), ""
    try:
        for name in options.only.split(","):
            fault, rows = importlib.import_module("faults." + name), []
            for kind in kinds:
                rows.append((kind.name, measure(place, options, fault, kind)))
                print(name, *rows[-1], flush=True)
            text += table(fault, rows)
            with open(options.report, "w") as file: file.write(head + text)
            print(table(fault, rows), flush=True)
    finally: place.close()


if __name__ == "__main__": main()
