"""Takes a picture of a page as it is after some seconds: take_picture.py CHROMIUM URL WIDTH SECONDS FILE.

The seconds are real ones. Chromium's own --screenshot lets the page's clock run ahead of the events that it is sent, and
rates in it come out as nothing.
"""
import base64, json, os, subprocess, sys, tempfile, time

chromium, url, width, seconds, file = sys.argv[1:]
# The protocol for developers over a pipe: Chromium reads commands at 3 and writes answers at 4, each ended by a zero byte.
commands, answers = os.pipe(), os.pipe()
script = 'exec 3<&%d 4>&%d; exec "$@"' % (commands[0], answers[1])
with tempfile.TemporaryDirectory() as profile:
    browser = subprocess.Popen(
        ["/bin/bash", "-c", script, "bash", chromium, "--headless", "--no-sandbox", "--disable-gpu",
         "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe",
         "--user-data-dir=" + profile, "about:blank"],
        pass_fds=[commands[0], answers[1]], stderr=subprocess.DEVNULL)
    os.close(commands[0])
    os.close(answers[1])
    reader = os.fdopen(answers[0], "rb")
    number = 0

    def ask(method, session=None, **parameters):
        global number
        number += 1
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(commands[1], json.dumps(message).encode() + b"\0")
        while True:
            text = b""
            while not text.endswith(b"\0"):
                byte = reader.read(1)
                if not byte:
                    sys.exit("the browser has gone")
                text += byte
            answer = json.loads(text[:-1])
            if answer.get("id") == number:
                if "error" in answer:
                    sys.exit("%s: %s" % (method, answer["error"]))
                return answer["result"]

    # The browser answers before it has opened the page.
    deadline, pages = time.monotonic() + 180, []
    while not pages and time.monotonic() < deadline:
        pages = [t for t in ask("Target.getTargets")["targetInfos"] if t["type"] == "page"] or time.sleep(0.05)
    if not pages:
        sys.exit("the browser has no page")
    page = pages[0]
    session = ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
    ask("Emulation.setDeviceMetricsOverride", session, width=int(width), height=1000, deviceScaleFactor=1,
        mobile=int(width) < 600)
    ask("Page.navigate", session, url=url)
    time.sleep(float(seconds))
    # The whole page, however long it is.
    size = ask("Page.getLayoutMetrics", session)["cssContentSize"]
    ask("Emulation.setDeviceMetricsOverride", session, width=int(width), height=int(size["height"]), deviceScaleFactor=1,
        mobile=int(width) < 600)
    time.sleep(1.5)
    picture = ask("Page.captureScreenshot", session, format="png")["data"]
    with open(file, "wb") as out:
        out.write(base64.b64decode(picture))
    ask("Browser.close")
    browser.wait(180)
