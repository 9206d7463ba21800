"""An HTTP server that listens on $PORT, as a replica of a service does."""
import json
import os
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

VERSION = os.environ.get("VERSION", "1")
WHO = f"{os.environ['GYRE_JOB_ID']}.{os.environ['GYRE_ATTEMPT']}:{VERSION}"
GATE = threading.Event()  # what waits for /open
STALLED = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, status=200, **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            whole = b""
            while size := int(self.rfile.readline(), 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return whole
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self):
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/health":
            self.answer(b"", 500 if VERSION == "bad" else 200)
        elif url.path == "/who":
            self.answer(WHO.encode())
        elif url.path == "/slow":
            time.sleep(float(query["s"]))
            self.answer(WHO.encode())
        elif url.path == "/wait":
            GATE.wait(60)
            self.answer(WHO.encode())
        elif url.path == "/alive":
            self.answer(b"", 500 if STALLED.is_set() else 200)
        elif url.path == "/stall":
            STALLED.set()
            self.answer(b"")
        elif url.path == "/open":
            GATE.set()
            self.answer(b"")
        elif url.path == "/headers":
            self.answer(json.dumps(self.headers.items()).encode(), Connection="X-Hop",
                        X_Hop="secret", X_End="kept")
        elif url.path == "/events":
            self.events()
        elif url.path == "/hang-up":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif url.path == "/until-close":
            self.close_connection = True
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"to the end")
        elif url.path == "/echo-socket":
            self.socket()
        else:
            self.answer(self.path.encode())

    do_HEAD = do_GET

    def do_POST(self):
        if self.path == "/die":
            os._exit(1)
        self.answer(self.body())

    def events(self):
        """One event, and the other once the gate is open."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for gate, data in ((None, b"data: one\n\n"), (GATE, b"data: two\n\n")):
            if gate:
                gate.wait(60)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def socket(self):
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", self.headers["Upgrade"])
        self.end_headers()
        self.close_connection = True
        while data := self.connection.recv(4096):
            self.connection.sendall(b"<" + data + b">")

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if VERSION == "crash":
    raise SystemExit(7)
if delay := os.environ.get("DELAY"):
    time.sleep(float(delay))
Server((os.environ["GYRE_HOST"], int(os.environ["PORT"])), Handler).serve_forever()
