"""libtorrent through its Python module, in a process of its own (`libtorrent_client.py`)."""
import os, subprocess
from . import Client, State


class Libtorrent(Client):
    name = "libtorrent"

    def version(self):
        code = "import libtorrent; print('libtorrent', libtorrent.__version__, '(Python module)')"
        return subprocess.run([self.options.python, "-c", code], capture_output=True, text=True).stdout.strip()

    def command(self):
        script = os.path.join(os.path.dirname(os.path.dirname(__file__)), "libtorrent_client.py")
        source = self.sample.magnet if self.magnet else self.sample.torrent
        return [self.options.python, script, source, self.out, self.home, "dht" if self.dht else "no-dht"]

    def state(self):
        last = self.last_line()
        return State(last.get("done", False), last.get("text", "?"))
