"""Follows a worker's revocations: python3 follow_revocations.py http://127.0.0.1:9191 (a token in SLUICE_TOKEN).

What a gateway does in any language: cut off the session that a revocation or an eviction names; after a gap or a reset,
look up every session it holds open; while the worker is not ready, do not take silence for proof. Standard library only.
"""
import json, os, sys, time, urllib.request

last_id = None
while True:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    if os.environ.get("SLUICE_TOKEN"):
        headers["Authorization"] = "Bearer " + os.environ["SLUICE_TOKEN"]
    try:
        request = urllib.request.Request(sys.argv[1] + "/v1/revocations", headers=headers)
        # The worker says something every five seconds: what is silent for longer is gone.
        with urllib.request.urlopen(request, timeout=15) as stream:
            event = {}
            for line in stream:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    event[name] = value
                elif event.get("event"):
                    last_id = event.get("id", last_id)
                    print(event["event"], json.loads(event["data"]), flush=True)
                    event = {}
    except OSError as error:
        print("away", error, flush=True)
    time.sleep(1)
