"""One driver a client. Each starts it with a torrent or a magnet, stops it, kills it and reads its state; nothing else.

The tracker of the torrent names the peers, plain TCP without encryption, no DHT unless a fault asks for it. A driver keeps the
client's own defaults in everything that a fault is about (saving of state, limits, timeouts).
"""
import dataclasses, json, os, signal, time, urllib.error, urllib.request


@dataclasses.dataclass
class State:
    done: bool = False      # the client says that it has all of it
    text: str = "?"         # its state in its own words


class Client:
    """`home` holds the client's own state, `out` the payload; both outlive a restart."""
    name = "?"
    unfinished = ""     # what it appends to the name of a file that is not complete

    def __init__(self, lab, options, folder, out=None):
        self.lab, self.options, self.process = lab, options, None
        self.home = lab.fresh(f"{folder}/home")
        self.out = out or lab.fresh(f"{folder}/out")
        self.log = os.path.join(lab.fresh(f"{folder}/log"), "log")

    def start(self, sample, magnet=False, seeding=False, dht=False, nofile=8192, adopt=False):
        """`adopt`: the payload folder holds data that this client did not write and is to go on from."""
        self.sample, self.magnet, self.seeding, self.dht, self.nofile, self.adopt = sample, magnet, seeding, dht, nofile, adopt
        self.begin()

    def begin(self): self.spawn(self.command())

    def restart(self):
        self.adopt = False
        self.begin()

    def resume(self):
        """What a user does by hand when it does not go on by itself. A restart, unless there is a command for it."""
        self.stop()
        self.restart()

    def spawn(self, command): self.process = self.lab.spawn(command, self.log, self.home, self.nofile)

    def state(self): return State()

    def running(self): return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.process is None: return
        if self.running(): os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=60):
        """Seconds from SIGTERM to the end of the process, or None when it had to be killed."""
        start = time.monotonic()
        if self.running(): self.process.terminate()
        try: self.process.wait(seconds)
        except Exception:
            self.kill()
            return None
        return time.monotonic() - start

    def rss(self):
        """MiB."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

    def cpu(self):
        """Seconds of CPU so far."""
        with open(f"/proc/{self.process.pid}/stat") as file: fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def fds(self): return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def udp_ports(self):
        """Every UDP port open in its namespace."""
        rows = []
        for name in ("udp", "udp6"):
            with open(f"/proc/{self.process.pid}/net/{name}") as file: rows += [line.split()[1] for line in file][1:]
        return sorted({int(row.rsplit(":", 1)[1], 16) for row in rows})

    def last_line(self, about=b""):
        """The last object of JSON on the client's stdout whose line holds `about`."""
        try:
            with open(self.log + ".out", "rb") as file:
                file.seek(max(0, os.path.getsize(self.log + ".out") - 8192))
                lines = [line for line in file.read().split(b"\n")[:-1] if line.startswith(b"{") and about in line]
            return json.loads(lines[-1]) if lines else {}
        except (OSError, ValueError): return {}


def call(url, body=None, headers={}, seconds=5):
    """An HTTP request without a proxy: the body of the answer; HTTPError and OSError are the caller's."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, body, headers), timeout=seconds) as answer: return answer.read()


def every():
    from . import aria2, libtorrent, rqbit, trackless, transmission
    return {it.name: it for it in (trackless.Trackless, libtorrent.Libtorrent, transmission.Transmission, aria2.Aria2, rqbit.Rqbit)}
