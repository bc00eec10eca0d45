"""A magnet link with one honest peer among liars (row P13; G8)."""
import statistics, time
from lab import Sample, until
from peers import Conduct, Peer

TITLE = "A magnet link among liars"
WHAT = ("Metadata of 20 KiB (2 blocks). One honest seeder; the others announce metadata and send garbage, announce 5,000 bytes more than there are and send garbage, "
        "or stay silent. Seconds from the start of the client to the first request for a piece, at most 100; the file is compared when it is complete. The mix of nine, "
        "3 of each, is repeated; after a failure it is not.")
GOAL = "1 honest and 9 liars: at most 10 s in 95 of 100 runs"
MIXES = {"honest alone": (), "1 garbage": ("garbage",), "2 wrong size": ("size",) * 2, "3 silent": ("silent",) * 3,
         "3 + 3 + 3": ("garbage", "size", "silent") * 3}
COLUMNS = list(MIXES) + ["right files"]


def once(bench, liars, number):
    lab = bench.lab
    sample = Sample(lab.folder, f"magnet{number}.bin", 16 << 20, 16 << 10, seed=200 + number)
    # Liars first: a client that goes through its list from the start meets them before the honest peer.
    for at, kind in enumerate(liars): bench.peer(Peer(lab, sample, 20 + at, Conduct(metadata=kind, has=False)))
    honest = bench.peer(Peer(lab, sample, 11))
    client = bench.client(f"client{number}")
    start = time.monotonic()
    client.start(sample, magnet=True)
    took = until(lambda: honest.asked, 100, 0.01)
    if took is not None: took = honest.asked[0][0] - start
    if took is not None: until(lambda: client.state().done, 60)
    right = took is not None and sample.right(client.out)
    client.kill()
    bench.clear()
    return took, right


def measure(bench):
    row, rights, runs = {}, 0, 0
    for number, (name, liars) in enumerate(MIXES.items()):
        took = []
        for repeat in range(bench.options.rounds * (7 if len(liars) == 9 else 1)):
            seconds, right = once(bench, liars, number * 100 + repeat)
            took.append(seconds)
            rights, runs = rights + right, runs + 1
            if seconds is None: break
        good = sorted(it for it in took if it is not None)
        if len(good) < len(took): row[name] = f"never (run {len(took)})"
        elif len(good) > 9: row[name] = f"{statistics.median(good):.1f} (p95 {good[int(0.95 * len(good))]:.1f}, n {len(good)})"
        else: row[name] = f"{statistics.median(good):.1f}"
    row["right files"] = f"{rights} of {runs}"
    return row
