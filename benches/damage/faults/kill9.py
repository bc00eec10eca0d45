"""kill -9 in mid-download, then the same client again (rows S1, S2; G4)."""
import random
from lab import Sample, until
from peers import BLOCK, Conduct, Peer

TITLE = "kill -9 in mid-download"
WHAT = ("48 MiB in pieces of 256 KiB from one seeder that counts blocks, at about 8 MiB/s. Killed at a random block between a third and "
        "nine tenths, started again, run to its end. Again: bytes fetched twice. Whole pieces again: pieces of which every block had "
        "arrived a second before the kill and one was asked for again.")
GOAL = "right file, at most 16 MiB again, 0 recorded pieces again"
COLUMNS = ["right files", "again, KiB (each run)", "whole pieces again", "restart to first request, s"]


def once(bench, number):
    lab, noise = bench.lab, random.Random(number)
    sample = Sample(lab.folder, f"kill{number}.bin", 48 << 20, 256 << 10, seed=number)
    peer = bench.peer(Peer(lab, sample, 1, Conduct(pause=0.0018)))
    client = bench.client(f"client{number}")
    client.start(sample)
    wait = int(noise.uniform(0.33, 0.9) * sample.size / BLOCK)
    if until(lambda: len(peer.sent) >= wait, 90, 0.01) is None: raise RuntimeError(f"{len(peer.sent)} blocks only")
    client.kill()
    before, asked = list(peer.sent), len(peer.asked)
    moment = before[-1][0] - 1.0
    count = [0] * sample.pieces
    for at, piece, begin, _ in before: count[piece] += at < moment
    whole = {piece for piece in range(sample.pieces) if count[piece] >= sample.piece // BLOCK}
    client.restart()
    first = until(lambda: len(peer.asked) > asked, 90, 0.01)
    until(lambda: client.state().done, 120)
    right = sample.right(client.out)
    client.stop()
    again = len(peer.sent) * BLOCK - sample.size
    pieces = whole & {piece for _, piece, _ in peer.asked[asked:]}
    bench.clear()
    return right, again // 1024, len(pieces), len(whole), first


def measure(bench):
    runs = [once(bench, number) for number in range(bench.options.rounds)]
    return {
        COLUMNS[0]: f"{sum(run[0] for run in runs)} of {len(runs)}",
        COLUMNS[1]: ", ".join(str(run[1]) for run in runs),
        COLUMNS[2]: f"{sum(run[2] for run in runs)} of {sum(run[3] for run in runs)}",
        COLUMNS[3]: ", ".join("never" if run[4] is None else f"{run[4]:.1f}" for run in runs),
    }
