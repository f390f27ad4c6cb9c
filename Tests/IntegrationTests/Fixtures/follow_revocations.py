"""Prints everything that ends a session, as a worker announces it.

    python3 follow_revocations.py http://127.0.0.1:9191      (the token, if any, in SLUICE_TOKEN)

A gateway cuts off the session that a revocation or an eviction names, and looks up every open session after a gap or a
reset. While the worker is not ready, silence proves nothing. Uses only the standard library.
"""
import json, os, sys, time, urllib.request

last_id = None
while True:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    if os.environ.get("SLUICE_TOKEN"):
        headers["Authorization"] = "Bearer " + os.environ["SLUICE_TOKEN"]
    try:
        request = urllib.request.Request(sys.argv[1] + "/v1/revocations", headers=headers)
        # The worker sends at least a comment every 5 s: a longer silence means that the connection is lost.
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
        print("disconnected", error, flush=True)
    time.sleep(1)
