#!/usr/bin/env python3
"""Half an hour of trackless in a bad network: RSS, descriptors and threads over time (G14).

    python3 benches/damage/soak.py --minutes 30

It downloads and seeds at once: a torrent of 512 MiB from slow honest seeders and a poisoner, while leechers come and go all the
time, silent ones connect, 5 % of all packets are lost, the link goes down for 5 s each minute, and another address floods the DHT
port with 300 queries a second. Once complete it goes on seeding. Writes a table and the slope of RSS after the first third.
"""
import argparse, os, random, socket, subprocess, sys, threading, time
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import lab
from clients.trackless import Trackless
from faults.flood import query
from peers import Conduct, Leecher, Peer, address

ROOT = os.path.dirname(os.path.dirname(HERE))


class Soak:
    """The threads that harm, and what they counted."""

    def __init__(self, place, sample):
        self.place, self.sample, self.alive = place, sample, True
        self.wrong = self.right = self.refused = self.flooded = self.answered = self.visits = self.flaps = 0
        for work in (self.flood, self.flap, self.silence, *[lambda at=at: self.churn(at) for at in range(4)]):
            threading.Thread(target=work, daemon=True).start()

    def churn(self, at):
        """A leecher comes, asks for some blocks of the pieces that it is told of, checks them, goes."""
        noise, number = random.Random(at), 0
        while self.alive:
            number += 1
            self.visits += 1
            try:
                leecher = Leecher(self.sample, 100 + at * 30 + number % 30, 10)
                try: self.ask(leecher, noise)
                finally: leecher.close()
            except OSError: self.refused += 1
            time.sleep(noise.uniform(0.1, 2.0))

    def ask(self, leecher, noise):
        have, limit = set(), time.monotonic() + 15
        while leecher.choked or not have:
            kind, body = leecher.receive(limit)
            if kind == 5: have |= {at for at in range(self.sample.pieces) if body[at // 8] & 0x80 >> at % 8}
            if kind == 4: have.add(int.from_bytes(body, "big"))
        for _ in range(noise.randint(1, 40)):
            piece = noise.choice(sorted(have))
            good = leecher.block(piece, seconds=15) == self.sample.read(piece, 0, 16384)
            self.right, self.wrong = self.right + good, self.wrong + (not good)

    def silence(self):
        """Connections that say nothing, up to 100 at once, each for a minute at most."""
        held, number = [], 0
        while self.alive:
            number += 1
            try: held.append(socket.create_connection((lab.CLIENT, lab.PORT), 5, source_address=(address(230 + number % 20), 0)))
            except OSError: pass
            if len(held) > 100: held.pop(0).close()
            time.sleep(0.6)

    def flood(self):
        sock, packet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), query("ping", 7)
        sock.bind((address(90), 0))
        sock.setblocking(False)
        while self.alive:
            for _ in range(30):
                try: self.flooded += sock.sendto(packet, (lab.CLIENT, lab.PORT))
                except OSError: pass
            try:
                while True: self.answered += len(sock.recv(4096))
            except OSError: pass
            time.sleep(0.1)

    def flap(self):
        while self.alive:
            time.sleep(55)
            lab.sh("ip link set d0 down")
            time.sleep(5)
            lab.sh("ip link set d0 up")
            self.flaps += 1


def slope(samples):
    """MiB an hour by least squares."""
    mean_t, mean_r = (sum(it[at] for it in samples) / len(samples) for at in (0, 1))
    spread = sum((t - mean_t) ** 2 for t, *_ in samples)
    return 3600 * sum((t - mean_t) * (r - mean_r) for t, r, *_ in samples) / spread if spread else 0.0


def threads(pid): return len(os.listdir(f"/proc/{pid}/task"))


def report(options, samples, soak, client, peers, right, version):
    later = [it for it in samples[:-1] if it[0] >= samples[-1][0] / 3]  # the last was taken alone
    text = f"# Soak: {options.minutes} minutes\n\n{version}, {time.strftime('%Y-%m-%d')}; `python3 benches/damage/soak.py --minutes {options.minutes}`\n\n"
    text += "| minute | RSS, MiB | descriptors | threads | CPU, s | state |\n|---|---|---|---|---|---|\n"
    step = max(1, len(samples) // 30)
    for t, rss, fds, tasks, cpu, state in samples[::step] + [samples[-1]]: text += f"| {t / 60:.1f} | {rss:.1f} | {fds} | {tasks} | {cpu:.0f} | {state} |\n"
    text += f"\nRSS slope of the last two thirds: {slope(later):+.2f} MiB/h; most {max(it[1] for it in samples):.1f} MiB; descriptors at most {max(it[2] for it in samples)}, "
    text += f"at the end, alone, {samples[-1][2]}.\n"
    text += f"Leechers {soak.visits}, right blocks {soak.right}, wrong {soak.wrong}, visits that failed {soak.refused}; link down {soak.flaps} times; "
    text += f"flood {soak.flooded / 1e6:.1f} MB in, {100 * soak.answered / max(1, soak.flooded):.1f} % of it out; bad blocks taken {sum(1 for it in peers[0].sent if it[3])}.\n"
    text += f"File right: {right}; exit code after SIGTERM {client.process.returncode}; "
    with open(client.log, errors="replace") as file: said = file.read()
    text += f"`panicked` on stderr {said.count('panicked')} times.\n"
    with open(options.report, "w") as file: file.write(text)
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--trackless", default=f"{ROOT}/target/release/trackless")
    parser.add_argument("--folder", help="where the files go (default: the system's temporary folder)")
    parser.add_argument("--report", default=f"{HERE}/soak.md")
    options = parser.parse_args()
    if "DAMAGE_CLIENT_SPACE" not in os.environ: sys.exit(lab.inside([sys.executable] + sys.argv))
    lab.stop_on_signals()
    place = lab.Lab(options.folder)
    client = Trackless(place, options, "client")
    try:
        sample = lab.Sample(place.folder, "soak.bin", 512 << 20, 256 << 10, seed=800)
        peers = [Peer(place, sample, 40, Conduct(pause=0.1, bad=0.2))] + [Peer(place, sample, 41 + at, Conduct(pause=0.1)) for at in range(4)]
        lab.sh("nft add table ip soak")
        for hook in ("input", "output"):
            lab.sh(f"nft add chain ip soak {hook} '{{ type filter hook {hook} priority 0; }}'")
            lab.sh(f"nft add rule ip soak {hook} iifname != lo oifname != lo numgen random mod 100 '<' 5 drop")
        client.start(sample, dht=True)
        start, soak, samples = time.monotonic(), Soak(place, sample), []
        note = lambda: samples.append((time.monotonic() - start, client.rss(), client.fds(), threads(client.process.pid), client.cpu(), client.state().text))
        while time.monotonic() - start < options.minutes * 60 and client.running():
            time.sleep(5)
            note()
        soak.alive = False
        for peer in peers: peer.close()
        time.sleep(45)  # descriptors return to their base: no peer can be left after this
        if client.running(): note()
        client.stop()
        report(options, samples, soak, client, peers, sample.right(client.out), subprocess.run([options.trackless, "--version"], capture_output=True, text=True).stdout.strip())
    finally:
        client.kill()
        place.close()


if __name__ == "__main__": main()
