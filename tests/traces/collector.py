"""A receiver of OTLP/HTTP in JSON, as strict as one may be."""
import http.server
import json
import re
import threading

from cloud import PATIENCE_S


class Collector:
    def __init__(self):
        self.requests = []      # as text
        self.spans = {}         # by id
        self.resources = []
        self.refuse = 0         # so many requests are answered 503
        self.changed = threading.Condition()
        collector = self

        class Taker(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(collector.take(self.path, self.headers, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, headers, body):
        assert path == "/v1/traces" and headers["Content-Type"] == "application/json"
        with self.changed:
            if self.refuse:
                self.refuse -= 1
                self.changed.notify_all()
                return 503
            self.requests.append(body.decode())
            for resource in json.loads(body)["resourceSpans"]:
                self.resources.append(attributes(resource["resource"]))
                for scope in resource["scopeSpans"]:
                    for span in scope["spans"]:
                        self.add(span)
            self.changed.notify_all()
        return 200

    def add(self, span):
        assert re.fullmatch("[0-9a-f]{32}", span["traceId"]), span
        assert re.fullmatch("[0-9a-f]{16}", span["spanId"]), span
        assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]), span
        assert span["spanId"] not in self.spans, "a span is told once"
        self.spans[span["spanId"]] = span

    def wait(self, wish):
        """The spans, once they are as wished."""
        with self.changed:
            assert self.changed.wait_for(lambda: wish(list(self.spans.values())), PATIENCE_S), [
                span["name"] for span in self.spans.values()]
            return list(self.spans.values())

    def end(self):
        self.server.shutdown()
        self.server.server_close()


def attributes(thing):
    return {item["key"]: next(iter(item["value"].values())) for item in thing["attributes"]}
