#!/usr/bin/env python3
"""A collector for tests: checks export requests of the OpenTelemetry protocol and prints a line for each.

    otlp_collector.py SCHEMA REFUSALS [MODE]

Prints `port N`, then for each request: the path, `valid` or the first error, and the names of its spans or metrics. Answers
the first REFUSALS requests with 503, as a collector that is being restarted does. Needs python3-jsonschema.

MODE makes it hostile: `stall` never answers the first request with spans, `endless` begins each answer and never ends it,
`partial` rejects a part of each request, `page` answers as a web server does, and a number is the status of all answers.
"""
import http.server
import json
import sys
import threading

import jsonschema

with open(sys.argv[1], encoding="utf-8") as file:
    SCHEMA = json.load(file)
PARTS = {"/v1/traces": ("traces", "resourceSpans", "scopeSpans", "spans"),
         "/v1/metrics": ("metrics", "resourceMetrics", "scopeMetrics", "metrics")}
refusals = int(sys.argv[2])
mode = sys.argv[3] if len(sys.argv) > 3 else ""
lock = threading.Lock()


class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global refusals, mode
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            is_refused = refusals > 0
            refusals -= is_refused
            is_stalled = mode == "stall" and self.path == "/v1/traces"
            if is_stalled:
                mode = ""
        if is_refused:
            self.answer(503)
            print("refused", self.path, flush=True)
            return
        kind, resources, scopes, items = PARTS.get(self.path, ("", "", "", ""))
        try:
            request = json.loads(body)
            jsonschema.validate(request, {**SCHEMA, "$ref": "#/$defs/" + kind})
            verdict = "valid"
            names = sorted({item["name"] for resource in request[resources] for scope in resource[scopes]
                            for item in scope[items]})
        except (ValueError, KeyError, jsonschema.ValidationError) as error:
            verdict, names = f"invalid: {str(error).splitlines()[0]}", []
        if self.headers["Content-Type"] != "application/json" or self.headers["X-Tenant"] != "one":
            verdict = f"invalid: headers {dict(self.headers)}"
        if is_stalled:
            print("stalled", self.path, flush=True)
            threading.Event().wait()
        print(self.path, verdict, " ".join(names), flush=True)
        if mode == "partial":
            self.answer(200, b'{"partialSuccess": {"rejectedDataPoints": "3", "rejectedSpans": "2", "errorMessage": "too old"}}')
        elif mode == "page":
            self.answer(200, b"<html></html>", "text/html; charset=utf-8")
        elif mode.isdigit():
            self.answer(int(mode), b'{"code": 3, "message": "a reason"}')
        else:
            self.answer(200, is_endless=mode == "endless")

    def answer(self, status, body=b"{}", kind="application/json", is_endless=False):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status == 503:
            self.send_header("Retry-After", "0")
        if 300 <= status < 400:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body) + is_endless))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if is_endless:
            threading.Event().wait()

    def log_message(self, *arguments):
        pass


http.server.ThreadingHTTPServer.daemon_threads = True
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
print("port", server.server_address[1], flush=True)
server.serve_forever()
