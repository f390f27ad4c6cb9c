#!/usr/bin/env python3
"""A collector for tests: checks export requests of the OpenTelemetry protocol and prints a line for each.

    otlp_collector.py SCHEMA REFUSALS

Prints `port N`, then for each request: the path, `valid` or the first error, and the names of its spans or metrics. Answers
the first REFUSALS requests with 503, as a collector that is being restarted does. Needs python3-jsonschema.
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
lock = threading.Lock()


class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global refusals
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            is_refused = refusals > 0
            refusals -= is_refused
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
        print(self.path, verdict, " ".join(names), flush=True)
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status == 503:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
print("port", server.server_address[1], flush=True)
server.serve_forever()
