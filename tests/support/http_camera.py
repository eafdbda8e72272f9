"""A real HTTP camera on loopback, in a process of its own that tests can freeze, kill and start again.

/stream         motion JPEG, 15 pictures a second, from a folder, over and over
/picture.jpg    the next of these pictures
/still.jpg      always the first
/basic.jpg      with HTTP authentication: name `eve`, password `p@ss/word`
/digest.jpg     the same with the Digest scheme
/moved.jpg      sends on to /picture.jpg
/html /missing /broken.jpg /endless.jpg /trickle.jpg /silent.jpg /garbage    what goes wrong
"""

from __future__ import annotations

import base64
import hashlib
import re
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

HERE = Path(__file__).resolve()
USER, PASSWORD = "eve", "p@ss/word"
TAKEN = count()


class HttpCamera:
    """`http://127.0.0.1:<port>/…`, see above; `folder` holds its pictures."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def url(self, path: str, user: str = "") -> str:
        return f"http://{user + '@' if user else ''}127.0.0.1:{self.port}/{path}"

    def start(self) -> None:
        """On the same port as before, once it had one."""
        assert self._process is None
        command = [sys.executable, str(HERE), str(self.port), str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


class Handler(BaseHTTPRequestHandler):
    pictures: list[bytes]

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        try:
            getattr(self, "get_" + re.sub(r"\W.*", "", self.path[1:]), self.get_missing)()
        except OSError:  # the client went away
            self.close_connection = True

    def send(self, body: bytes, kind: str = "image/jpeg", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def next(self) -> bytes:
        return self.pictures[next(TAKEN) % len(self.pictures)]

    def get_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        while True:
            body = self.next()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode() + body + b"\r\n")
            time.sleep(1 / 15)

    def get_picture(self) -> None:
        self.send(self.next())

    def get_still(self) -> None:
        self.send(self.pictures[0])

    def get_basic(self) -> None:
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") == expected:
            self.send(self.next())
        else:
            self.send(b"", status=401, WWW_Authenticate='Basic realm="camera"')

    def get_digest(self) -> None:
        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        given = dict(re.findall(r'(\w+)="?([^",]+)"?', self.headers.get("Authorization", "")))
        ha1, ha2 = md5(f"{USER}:camera:{PASSWORD}"), md5(f"GET:{self.path}")
        parts = [ha1, "n0nce", given.get("nc", ""), given.get("cnonce", ""), "auth", ha2]
        if given.get("response") == md5(":".join(parts)):
            self.send(self.next())
        else:
            challenge = 'Digest realm="camera", nonce="n0nce", qop="auth"'
            self.send(b"", status=401, WWW_Authenticate=challenge)

    def get_moved(self) -> None:
        self.send(b"", status=302, Location="/picture.jpg")

    def get_html(self) -> None:
        self.send(b"<!DOCTYPE html><html>Please log in</html>", "text/html")

    def get_missing(self) -> None:
        self.send(b"not here", "text/plain", 404)

    def get_broken(self) -> None:
        self.send(self.pictures[0][:-20])

    def get_endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(bytes(1 << 20))

    def get_trickle(self) -> None:
        self.send_response(200)
        self.end_headers()
        for byte in self.pictures[0]:
            self.wfile.write(bytes([byte]))
            time.sleep(0.1)

    def get_silent(self) -> None:
        time.sleep(60)

    def get_garbage(self) -> None:
        self.wfile.write(b"\x00\xff nonsense\r\n\r\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True


if __name__ == "__main__":
    Handler.pictures = [path.read_bytes() for path in sorted(Path(sys.argv[2]).glob("*.jpg"))]
    with Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
