"""One of three seeders corrupts a fifth of its blocks (row P3; G9)."""
import statistics
from lab import Sample, until
from peers import BLOCK, Conduct, Peer

TITLE = "A poisoner among three seeders"
WHAT = ("32 MiB in pieces of 256 KiB; three seeders in three /24 networks at about 1.5 MiB/s each; one changes a byte in 20 % of its blocks. Waste: bytes fetched beyond the size. "
        "Ban: from its first bad block to the last block it could send. Innocents: honest seeders that the client left for more than 5 s before it was complete.")
GOAL = "at most 1 MiB of 32 wasted, banned within 5 s of its first bad piece, no innocents"
COLUMNS = ["right files", "waste, KiB (each run)", "bad blocks taken", "ban after, s", "innocents"]


def once(bench, number):
    lab = bench.lab
    sample = Sample(lab.folder, f"poison{number}.bin", 32 << 20, 256 << 10, seed=300 + number)
    liar = bench.peer(Peer(lab, sample, 30 + number, Conduct(pause=0.010, bad=0.2)))
    honest = [bench.peer(Peer(lab, sample, at, Conduct(pause=0.010))) for at in (50, 60)]
    client = bench.client(f"client{number}")
    client.start(sample)
    until(lambda: client.state().done, 120)
    right, end = sample.right(client.out), max(peer.sent[-1][0] for peer in honest if peer.sent)
    sent = sum(len(peer.sent) for peer in [liar] + honest)
    bad = [at for at, _, _, wrong in liar.sent if wrong]
    ban = liar.sent[-1][0] - bad[0] if bad else 0.0
    # A client that let it go on to the end has not banned it.
    shut = bool(liar.visits) and (end - liar.sent[-1][0] > 1.0 if liar.sent else True)
    innocents = sum(not peer.sent or end - peer.sent[-1][0] > 5.0 for peer in honest)
    client.stop()
    bench.clear()
    return right, (sent * BLOCK - sample.size) // 1024, len(bad), ban if shut else None, innocents


def measure(bench):
    runs = [once(bench, number) for number in range(bench.options.rounds)]
    return {
        COLUMNS[0]: f"{sum(run[0] for run in runs)} of {len(runs)}",
        COLUMNS[1]: ", ".join(str(run[1]) for run in runs),
        COLUMNS[2]: ", ".join(str(run[2]) for run in runs),
        COLUMNS[3]: ", ".join("not" if run[3] is None else f"{run[3]:.1f}" for run in runs),
        COLUMNS[4]: sum(run[4] for run in runs),
    }
