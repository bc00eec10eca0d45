"""The disk fills in mid-download and later has room again (rows S4, S21; G6)."""
import random, time
from lab import Sample, until
from peers import BLOCK, Conduct, Peer

TITLE = "Full disk, then room"
WHAT = ("48 MiB into a tmpfs of 16 to 32 MiB. When nothing more is asked for in 8 s, the file system grows to 100 MiB; 40 s to go on by itself, else it is "
        "resumed by hand (start command or restart). Then the file is compared.")
GOAL = "goes on by itself within 30 s, every file right"
COLUMNS = ["right files", "said it is complete with a wrong file", "state when full", "went on by itself after, s", "again, KiB", "state in the end"]


def once(bench, number):
    lab = bench.lab
    sample = Sample(lab.folder, f"full{number}.bin", 48 << 20, 256 << 10, seed=100 + number)
    folder = lab.tmpfs(f"full{number}", random.Random(number).randint(16, 32))
    peer = bench.peer(Peer(lab, sample, 1, Conduct(pause=0.0005)))
    client = bench.client(f"client{number}", folder)
    client.start(sample)
    quiet = lambda: peer.asked and time.monotonic() - peer.asked[-1][0] > 8
    until(quiet, 90)
    text, asked = client.state().text.replace(folder + "/", ""), len(peer.asked)
    lab.resize(folder, 100)
    alone = until(lambda: len(peer.asked) > asked, 40)
    if alone is None and not client.state().done: client.resume()
    until(lambda: client.state().done, 60)
    end = client.state()
    done, right = end.done, sample.right(folder)
    client.stop()
    again = (len(peer.sent) * BLOCK - sample.size) // 1024
    bench.clear()
    lab.unmount(folder)
    return right, done and not right, text, alone, again, end.text.replace(folder + "/", "")


def measure(bench):
    runs = [once(bench, number) for number in range(bench.options.rounds)]
    return {
        COLUMNS[0]: f"{sum(run[0] for run in runs)} of {len(runs)}",
        COLUMNS[1]: str(sum(run[1] for run in runs)),
        COLUMNS[2]: runs[0][2],
        COLUMNS[3]: ", ".join("no" if run[3] is None else f"{run[3]:.0f}" for run in runs),
        COLUMNS[4]: ", ".join(str(max(0, run[4])) for run in runs),
        COLUMNS[5]: runs[0][5],
    }
