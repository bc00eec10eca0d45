#!/usr/bin/env python3
"""How long a cold start takes: three DHT nodes and one seeder on loopback, then `trackless get MAGNET`.

Every round starts from an empty state folder. Prints the timeline of each round (seconds from the start
of `get` as it reports them itself, and wall time of the whole process), then the medians.
Usage: start.py [--rounds 10] [--mib 4] [BINARY]
"""
import argparse, json, os, shutil, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
IP = "127.0.0.1"
STEPS = ["first_node", "first_peers", "first_handshake", "metadata", "first_piece", "done"]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=10)
    arguments.add_argument("--mib", type=int, default=4)
    arguments.add_argument("binary", nargs="?", default=os.path.join(HERE, "../../target/release/trackless"))
    a = arguments.parse_args()
    folder = tempfile.mkdtemp(prefix="trackless-start-")
    children = []

    def start(name, *command, **more):
        state = os.path.join(folder, name)
        child = subprocess.Popen([a.binary, *command, "--bind", IP, "--no-lsd", "--state-dir", state],
                                 stderr=open(os.path.join(folder, name + ".log"), "wb"), **more)
        children.append(child)
        return child

    try:
        base = 27100
        for i in range(3):
            more = [] if i == 0 else ["--bootstrap", f"{IP}:{base}"]
            start(f"node{i}", "dht", "node", "-p", str(base + i), *more, stdout=subprocess.DEVNULL)
        payload = os.path.join(folder, "payload.bin")
        with open(payload, "wb") as f:
            f.write(os.urandom(a.mib << 20))
        seeder = start("seeder", "share", payload, "-p", str(base + 9), "--bootstrap", f"{IP}:{base}",
                       stdout=subprocess.PIPE, text=True)
        magnet = seeder.stdout.readline().strip()
        time.sleep(3)  # its announce
        rows = []
        for i in range(a.rounds):
            out = os.path.join(folder, f"out{i}")
            t = time.monotonic()
            run = subprocess.run([a.binary, "get", magnet, "--json", "-o", out, "--bind", IP, "--no-lsd", "-p", "0",
                                  "--bootstrap", f"{IP}:{base}", "--state-dir", os.path.join(folder, f"cold{i}"),
                                  "--timeout", "20s"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            wall = time.monotonic() - t
            done = [json.loads(l) for l in run.stdout.splitlines() if '"done"' in l]
            if run.returncode or not done:
                sys.exit(f"round {i} failed with {run.returncode}:\n{run.stdout}{run.stderr}")
            row = dict(done[-1]["timeline"], wall=round(wall, 3))
            rows.append(row)
            print(json.dumps(row), flush=True)
        print("--- medians")
        for step in STEPS + ["wall"]:
            print(f"{step:16} {statistics.median(row[step] for row in rows):7.3f} s")
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait()
        shutil.rmtree(folder, ignore_errors=True)


main()
