"""Two hosts of our own, a tracker, files and torrents: where every fault of this folder happens.

The script runs in the namespace of the peers, the client under test in one of its own; a veth pair joins them and nothing
else is connected. The addresses are public ones, since for private networks clients have other rules; they exist inside the namespaces only. All that is made here is removed by `Lab.close`.
"""
import hashlib, http.server, os, random, resource, shutil, signal, subprocess, tempfile, threading, time, urllib.parse

CLIENT, HOST = "45.18.0.2", "45.18.0.1"
PORT, API, TRACKER = 7001, 7002, 6969


def sh(command):
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def bencode(value):
    if isinstance(value, int): return b"i%de" % value
    if isinstance(value, str): value = value.encode()
    if isinstance(value, bytes): return b"%d:%s" % (len(value), value)
    if isinstance(value, list): return b"l" + b"".join(map(bencode, value)) + b"e"
    return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"


def bdecode(data, at=0):
    """The value at `at` and the position after it. For answers of programs we started, not for hostile input."""
    kind = data[at:at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1:end]), end + 1
    if kind in b"ld":
        items, at = [], at + 1
        while data[at:at + 1] != b"e":
            item, at = bdecode(data, at)
            items.append(item)
        return (items if kind == b"l" else dict(zip(items[::2], items[1::2]))), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1:end], end


class Sample:
    """One file of random bytes and its torrent. `content` is the path of the right bytes."""

    def __init__(self, folder, name, size, piece, seed=1, content=None):
        self.name, self.size, self.piece = name, size, piece
        self.content = content or os.path.join(folder, name + ".right")
        if content is None:
            noise = random.Random(seed)
            with open(self.content, "wb") as file:
                for at in range(0, size, 1 << 20):
                    file.write(noise.randbytes(min(1 << 20, size - at)))
        pieces, whole = [], hashlib.sha1()
        with open(self.content, "rb") as file:
            while block := file.read(piece):
                pieces.append(hashlib.sha1(block).digest())
                whole.update(block)
        self.pieces, self.whole = len(pieces), whole.digest()
        self.info = bencode({"length": size, "name": name, "piece length": piece, "pieces": b"".join(pieces)})
        self.hash = hashlib.sha1(self.info).digest()
        self.torrent = os.path.join(folder, name + ".torrent")
        announce = f"http://{HOST}:{TRACKER}/announce"
        with open(self.torrent, "wb") as file:
            file.write(b"d8:announce" + bencode(announce) + b"4:info" + self.info + b"e")
        self.magnet = f"magnet:?xt=urn:btih:{self.hash.hex()}&tr={urllib.parse.quote(announce, safe='')}"
        self.file = open(self.content, "rb")

    def read(self, piece, begin, length):
        return os.pread(self.file.fileno(), length, piece * self.piece + begin)

    def right(self, folder):
        """Whether the file that a client left below `folder` is the original."""
        path = self.find(folder)
        if path is None or os.path.getsize(path) != self.size: return False
        whole = hashlib.sha1()
        with open(path, "rb") as file:
            while block := file.read(1 << 20): whole.update(block)
        return whole.digest() == self.whole

    def find(self, folder):
        for at, _, names in os.walk(folder):
            if self.name in names: return os.path.join(at, self.name)
        return None


class Tracker(threading.Thread):
    """An HTTP tracker that gives every asker the same peers. `silent` accepts and never answers."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peers, self.silent, self.announces = [], False, 0
        tracker = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                tracker.announces += 1
                while tracker.silent: time.sleep(0.2)
                compact = b"".join(bytes(map(int, ip.split("."))) + port.to_bytes(2, "big") for ip, port in tracker.peers)
                body = bencode({"interval": 30, "min interval": 10, "peers": compact})
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try: self.wfile.write(body)
                except OSError: pass  # the asker is gone

            def log_message(self, *_): pass

        self.server = http.server.ThreadingHTTPServer((HOST, TRACKER), Handler)
        self.server.daemon_threads = True
        self.start()

    def run(self): self.server.serve_forever(0.1)


class Lab:
    """The namespaces, a folder and the tracker. Use `inside()` to get into the namespace first."""

    def __init__(self, folder=None):
        self.client_space = os.environ["DAMAGE_CLIENT_SPACE"]
        self.folder = tempfile.mkdtemp(prefix="damage-", dir=folder)
        self.tracker, self.mounts, self.closers = Tracker(), [], []

    def path(self, *names):
        path = os.path.join(self.folder, *names)
        os.makedirs(path, exist_ok=True)
        return path

    def fresh(self, name):
        shutil.rmtree(os.path.join(self.folder, name), ignore_errors=True)
        return self.path(name)

    def tmpfs(self, name, mib):
        path = self.path(name)
        sh(f"mount -t tmpfs -o size={mib}m none {path}")
        self.mounts.append(path)
        return path

    def resize(self, path, mib): sh(f"mount -o remount,size={mib}m {path}")

    def unmount(self, path):
        sh(f"umount -l {path}")
        self.mounts.remove(path)

    def spawn(self, command, log, home, nofile=8192):
        """Starts a client in its namespace with a home of its own; the process is the client itself."""
        names = ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"]
        environment = dict({name: home for name in names}, PATH=os.environ["PATH"])
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))
        enter = ["nsenter", f"--net=/run/netns/{self.client_space}"]
        with open(log, "ab") as err, open(log + ".out", "ab") as out:
            return subprocess.Popen(enter + command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment,
                                    preexec_fn=limit, start_new_session=True)

    def close(self):
        for path in list(self.mounts): self.unmount(path)
        shutil.rmtree(self.folder, ignore_errors=True)


def stop_on_signals():
    """SIGTERM and SIGINT end this script by way of its `finally`s (a shell's background jobs ignore SIGINT)."""
    def stop(*_):
        # The second signal of one stop (to us and to our group) must not interrupt the tidying up.
        for number in (signal.SIGTERM, signal.SIGINT): signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt
    for number in (signal.SIGTERM, signal.SIGINT): signal.signal(number, stop)


def inside(arguments):
    """Makes both namespaces, runs this script again within that of the peers, removes them, returns its exit code."""
    peers, client = f"damage-p{os.getpid()}", f"damage-c{os.getpid()}"
    stop_on_signals()
    try:
        sh(f"ip netns add {peers} && ip netns add {client}")
        sh(f"ip -n {peers} link add d0 type veth peer name d0 netns {client}")
        sh(f"ip -n {peers} addr add {HOST}/30 dev d0 && ip -n {client} addr add {CLIENT}/30 dev d0")
        for space in (peers, client): sh(f"ip -n {space} link set lo up && ip -n {space} link set d0 up")
        sh(f"ip -n {client} route add default via {HOST} && ip -n {peers} route add local 45.19.0.0/16 dev lo")
        environment = dict(os.environ, DAMAGE_CLIENT_SPACE=client)
        child = subprocess.Popen(["nsenter", f"--net=/run/netns/{peers}"] + arguments, env=environment)
        try: return child.wait()
        except KeyboardInterrupt:
            child.terminate()
            return child.wait(60)
    finally:
        subprocess.run(f"ip netns del {peers}; ip netns del {client}", shell=True, stderr=subprocess.DEVNULL)


def until(true, seconds, step=0.05):
    """Waits until `true()`; the seconds it took, or None."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if true(): return time.monotonic() - start
        time.sleep(step)
    return None
