"""SIGTERM in mid-download while the tracker does not answer (row S18)."""
from lab import Sample, until
from peers import BLOCK, Conduct, Peer

TITLE = "SIGTERM with a dead tracker"
WHAT = ("48 MiB at about 8 MiB/s; at the half the tracker takes connections and never answers, then SIGTERM. Afterwards it is started again and the file is compared; again: bytes "
        "fetched twice.")
GOAL = "ended within 10 s, exit code without error, nothing recorded is fetched again"
COLUMNS = ["ended after, s", "exit code", "again, KiB", "right files"]


def once(bench, number):
    lab = bench.lab
    sample = Sample(lab.folder, f"term{number}.bin", 48 << 20, 256 << 10, seed=600 + number)
    peer = bench.peer(Peer(lab, sample, 1, Conduct(pause=0.0018)))
    client = bench.client(f"client{number}")
    client.start(sample)
    if until(lambda: len(peer.sent) >= 1500, 90, 0.01) is None: raise RuntimeError(f"{len(peer.sent)} blocks only")
    lab.tracker.silent = True
    took = client.stop(60)
    code = client.process.returncode
    lab.tracker.silent = False
    client.restart()
    until(lambda: client.state().done, 120)
    right = sample.right(client.out)
    client.kill()
    again = (len(peer.sent) * BLOCK - sample.size) // 1024
    bench.clear()
    return took, code, again, right


def measure(bench):
    runs = [once(bench, number) for number in range(bench.options.rounds)]
    return {
        COLUMNS[0]: ", ".join("not in 60" if run[0] is None else f"{run[0]:.1f}" for run in runs),
        COLUMNS[1]: ", ".join(sorted({str(run[1]) for run in runs})),
        COLUMNS[2]: ", ".join(str(run[2]) for run in runs),
        COLUMNS[3]: f"{sum(run[3] for run in runs)} of {len(runs)}",
    }
