"""Checks the page of `evloop web` in headless Chromium, beside a made-up program.

usage: inspect_page.py EVLOOP [FOLDER FOR SCREENSHOTS]

Without Chromium, this is skipped. Chromium is driven by its debugging protocol over two pipes.
"""

import atexit
import base64
import fcntl
import http.client
import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from harness import PATIENCE, Tally, install

PID = os.getpid()  # The made-up program is this process.
CRAWL, CHAT, MAIN = "src/crawl.rs:88:21", "src/chat.rs:41:13", "src/main.rs:12:5"
ROWS_MAX = 150  # rows drawn at a time, whatever the number of tasks
DRAW_MS_MAX = 1500  # time to draw 100,000 tasks, on a loaded machine


def wait(kind, at, **on):
    return {"for": kind, "at": at, "on": on or None, "more": []}


def task(number, name, place, parent, waits, polls=1, state="waiting"):
    return {
        "loop": 1, "task": number, "slot": number + 1, "name": name, "spawned_at": place, "parent": parent,
        "state": state, "polls": polls, "waits": waits, "busy_share": None,
    }  # fmt: skip


class Program:
    """Answers the requests of `evloop` on a Unix socket."""

    def __init__(self, connections=40):
        self.runtime_dir = tempfile.mkdtemp(prefix="evloop-page-")
        atexit.register(shutil.rmtree, self.runtime_dir, True)
        os.mkdir(f"{self.runtime_dir}/evloop", 0o700)
        self.began = time.monotonic()
        self.is_stuck = False
        self.connections = connections
        self.has_deadlock = True
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{self.runtime_dir}/evloop/{PID}.sock")
        listener.listen(64)
        threading.Thread(target=self._serve, args=[listener], daemon=True).start()

    def _serve(self, listener):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection):
        with connection:
            words = connection.makefile("r").readline().split()
            if words[:2] != ["evloop", "1"]:
                return
            header = {
                "evloop": 1, "version": "0.1.0", "pid": PID, "program": "chat-server",
                "uptime_ms": 8_047_000 + (time.monotonic() - self.began) * 1000,
                "command": words[2],
            }  # fmt: skip
            lines = [header, *getattr(self, words[2])(*words[3:])]
            text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
            try:
                connection.sendall(text.encode())
            except OSError:
                pass  # a page that was closed

    def status(self):
        kernel = {"tid": PID, "state": "S", "wchan": "ep_poll", "syscall": "232",
                  "cpu_ms": 51_200}  # fmt: skip
        main = {
            "loop": 1, "name": "main", "phase": "waiting", "turn_ms": None, "task": None,
            "task_name": None, "spawned_at": None, "polls": 1_880_231, "kernel": kernel,
            "snapshot_age_ms": 0.4, "stuck": False,
        }  # fmt: skip
        if self.is_stuck:
            kernel |= {"wchan": "hrtimer_nanosleep", "syscall": "230"}
            main |= {
                "phase": "turn", "turn_ms": 12_340.0, "task": 4, "task_name": "resize images",
                "spawned_at": "src/images.rs:52:9", "snapshot_age_ms": 12_900.0, "stuck": True,
            }  # fmt: skip
        shard = {**main, "loop": 2, "name": "shard-1", "stuck": False, "phase": "waiting",
                 "turn_ms": None, "task": None, "spawned_at": None}  # fmt: skip
        return [main, shard]

    def tasks(self, *_):
        lines = [
            task(1, "main", MAIN, None, wait("task", "src/main.rs:31:24", task=2), 9),
            task(2, "accept", "src/main.rs:18:9", 1, wait("io", "src/chat.rs:33:50", fd=9,
                 peer=None, direction="read"), 8_412),
            task(3, "statistics", "src/main.rs:19:9", 1, wait("time", "src/stats.rs:14:28",
                 due_ms=7_250.5), 1_609),
            task(4, "resize images", "src/images.rs:52:9", 1, None, 90_412, "ready"),
            task(5, "<b>bold</b>", "src/main.rs:21:9", 1, wait("channel", "src/log.rs:9:33"), 731),
        ]  # fmt: skip
        if self.has_deadlock:
            lines += [
                task(6, "transfer a→b", "src/bank.rs:20:5", 1, wait("lock", "src/bank.rs:27:42",
                     lock={"held_by": [7]}), 3),
                task(7, "transfer b→a", "src/bank.rs:20:5", 1, wait("lock", "src/bank.rs:28:42",
                     lock={"held_by": [6]}), 3),
            ]  # fmt: skip
        for number in range(100, 100 + self.connections):
            waits = wait("io", "src/chat.rs:58:37", fd=number, direction="read",
                         peer=f"192.0.2.{number % 250}:{40_000 + number % 20_000}")  # fmt: skip
            lines.append(task(number, None, CHAT, 2, waits, number % 977))
        for number in range(9_000_000, 9_000_000 + self.connections // 4):
            waits = wait("time", "src/chat.rs:70:31", due_ms=number % 30_000 + 0.5)
            lines.append(task(number, "keepalive", CHAT.replace("41", "44"), 2, waits, 12))
        lines.append({**task(17, "shard", MAIN, None, wait("event", "src/shard.rs:8:8")), "loop": 2})
        if self.is_stuck:
            held = {"task": 4, "task_name": "resize images", "spawned_at": "src/images.rs:52:9"}
            lines.insert(0, {"loop": 1, "stale_ms": 12_900.0, "stuck": True, **held})
        return lines

    def loops(self):
        lag = [[10, 40_112], [100, 9_310], [1_000, 1_204], [10_000, 77], [100_000, 3]]
        of = {"turns": 51_022, "wait_ms": 7_800_000.0, "busy_ms": 51_000.0, "lag": lag,
              "ready": 1, "timers": 12, "sources": 41, "blocking_threads": 2,
              "inbox": 0}  # fmt: skip
        count = sum(line.get("loop") == 1 and "task" in line for line in self.tasks())
        return [{"loop": 1, "tasks": count, **of}, {"loop": 2, "tasks": 1, **of}]

    def timers(self, *_):
        return [{"loop": 1, "due_ms": 10.5 * at, "slot": 4} for at in range(12)]

    def sources(self, *_):
        return [{"loop": 1, "fd": at, "peer": f"192.0.2.{at}:40000", "readers": [at + 1],
                 "writers": [None] * (at % 2)} for at in range(100, 140)]  # fmt: skip

    def polls(self, ms):
        time.sleep(int(ms) / 1000)
        poll = [[1, 900_142], [16, 502_110], [128, 80_512], [1024, 932], [8192, 41]]
        return [{"loop": loop, "poll": poll, "dropped": 0} for loop in [1, 2]]

    def sample(self, ms):
        time.sleep(int(ms) / 1000)
        shares = {4: 0.311, 2: 0.064, 100: 0.021, 101: 0.008, 3: 0.002}
        busy = [{"loop": 1, "busy_share": 0.406}, {"loop": 2, "busy_share": 0}]
        return busy + [{"loop": 1, "task": key, "busy_share": share} for key, share in shares.items()]


class Browser:
    """Chromium with one page, driven over the pipes of `--remote-debugging-pipe`."""

    def __init__(self, program):
        profile = tempfile.mkdtemp(prefix="evloop-chromium-")
        atexit.register(shutil.rmtree, profile, True)
        # The descriptors of the pipes must not be those that the shell sets.
        to, self.to = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in os.pipe()]
        self.back, back = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in os.pipe()]
        flags = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars"
        command = f"exec {program} {flags} --no-first-run --remote-debugging-pipe"
        self.process = subprocess.Popen(
            ["bash", "-c", f"{command} --user-data-dir={profile} about:blank 3<&{to} 4>&{back}"],
            pass_fds=[to, back],
            stderr=subprocess.DEVNULL,
        )
        atexit.register(self.process.wait)
        atexit.register(self.process.kill)
        os.close(to)
        os.close(back)
        self.count, self.buffer, self.events, self.session = 0, b"", [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def _read(self):
        while b"\0" not in self.buffer:
            if not select.select([self.back], [], [], PATIENCE)[0]:
                raise TimeoutError("Chromium does not answer")
            self.buffer += os.read(self.back, 1 << 20)
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def run(self, script):
        """Returns the value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, script):
        """Returns whether the expression became true in time."""
        deadline = time.monotonic() + PATIENCE
        script = f"(() => {{ try {{ return Boolean({script}); }} catch {{ return false; }} }})()"
        while not self.run(script):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def key(self, key, **more):
        for kind in ["keyDown", "keyUp"]:
            text = {"text": key} if len(key) == 1 and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **text, **more)

    def size(self, width, height, scheme="light"):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def problems(self):
        """The errors and warnings of the console, and uncaught exceptions."""
        self.run("1")  # Reads what has arrived.
        found = []
        for event in self.events:
            params = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(params["exceptionDetails"])
            elif event.get("method") == "Log.entryAdded":
                found.append(params["entry"])
            elif event.get("method") == "Runtime.consoleAPICalled":
                found.append(params)
        return found

    def requested(self):
        sent = [event for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return {event["params"]["request"]["url"] for event in sent}


class Web:
    """`evloop web`, and its address."""

    def __init__(self, evloop, program):
        environment = {**os.environ, "XDG_RUNTIME_DIR": program.runtime_dir}
        command = [evloop, "web", str(PID)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        atexit.register(self.process.wait)
        atexit.register(self.process.kill)
        self.url = self.process.stdout.readline().strip()
        self.host, _, self.token = self.url.removeprefix("http://").partition("/#")

    def get(self, path, method="GET", **headers):
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def check_server(tally, web):
    status, headers, page = web.get("/")
    policy = headers["Content-Security-Policy"]
    tally.check("the page is served on 127.0.0.1", status == 200 and web.host.startswith("127.0.0.1:"))
    tally.check("nothing but the page's own is allowed", policy.startswith("default-src 'none';"), policy)
    tally.check("scripts run by a nonce", "'unsafe" not in policy and "NONCE" not in page, policy)
    tally.check("the nonce changes", web.get("/")[1]["Content-Security-Policy"] != policy)
    caching = headers["Cache-Control"], headers["X-Content-Type-Options"]
    tally.check("nothing is stored or guessed", caching == ("no-store", "nosniff"), caching)
    tally.check("the page has no secret", web.token not in page and len(web.token) == 32)
    token = {"X_Evloop_Token": web.token}
    status, headers, body = web.get("/api/status", **token)
    tally.check("a command is answered", status == 200 and '"shard-1"' in body, body)
    tally.check("it is no page", headers["Content-Type"] == "application/x-ndjson")
    for name, path, expected, sent in [
        ("no token", "/api/status", 401, {}),
        ("a wrong token", "/api/status", 401, {"X_Evloop_Token": "0" * 32}),
        ("a token in the query", f"/api/status?token={web.token}", 404, {}),
        ("a foreign name", "/", 421, {"Host": "localhost:80"}),
        ("a foreign origin", "/api/status", 403, {**token, "Origin": "http://example.org"}),
        ("another site", "/api/status", 403, {**token, "Sec_Fetch_Site": "cross-site"}),
        ("a command that changes", "/api/trace", 404, token),
        ("a large head", "/", None, {"X": "x" * 100_000}),
    ]:
        try:
            status = web.get(path, **sent)[0]
        except (OSError, http.client.HTTPException):
            status = None
        tally.check(f"{name}: {expected}", status == expected, status)
    tally.check("POST: 405", web.get("/", "POST")[0] == 405)


def check_views(tally, browser):
    text = "document.body.innerText"
    rows = "document.querySelectorAll('.rows .line')"
    tally.check("names are shown", browser.wait(f"{text}.includes('chat-server')"))
    tally.check("groups are shown", browser.wait(f"{text}.includes('{CHAT}')"))
    tally.check("the largest group is first", browser.run(f"{rows}[0].innerText").startswith("▸40"))
    tally.check("a deadlock is named", browser.wait(f"{text}.includes('Deadlock of 2 tasks')"))
    tally.check("shares are shown", browser.wait(f"{text}.includes('40.6%')"))
    browser.run("document.querySelector('.grid').focus()")
    browser.key("ArrowRight")
    tally.check("a key opens a group", browser.run(f"{rows}[1].innerText").startswith("100"))
    browser.key("ArrowDown")
    active = "document.querySelector('.grid').getAttribute('aria-activedescendant')"
    tally.check("a key moves to the next row", browser.run(active) == "row-1")
    browser.key("Enter")
    tally.check("a key opens details", browser.wait("document.querySelector('dialog').open"))
    browser.run("document.querySelector('dialog button').click()")
    browser.key("2")
    tally.check("the tree begins with its root", browser.wait(f"{rows}[0].innerText.includes('1 main')"))
    levels = f"[...{rows}].slice(0, 4).map(row => row.getAttribute('aria-level')).join()"
    tally.check("children are below", browser.run(levels) == "1,2,3,3", browser.run(levels))
    browser.key("3")
    tally.check("the busiest is first", browser.wait(f"{rows}[0].innerText.includes('resize images')"))
    browser.key("/")
    browser.call("Input.insertText", text="bold")
    tally.check("a search finds one task", browser.wait(f"{rows}.length === 1"))
    tally.check("a name is no markup", browser.run(f"{rows}[0].innerText").startswith("5 <b>bold</b>"))
    browser.run("let box = document.querySelector('#search'); box.value = '';"
                "box.dispatchEvent(new Event('input')); box.blur()")  # fmt: skip
    for key, name, expected in [("4", "timers", "statistics"), ("5", "sockets", "192.0.2.100:40000"),
                                ("6", "histograms", "≤ 10 µs")]:  # fmt: skip
        browser.key(key)
        tally.check(f"{name} are shown", browser.wait(f"{text}.includes('{expected}')"))
    browser.run("document.querySelector('#tools button').click()")
    tally.check("polls are measured", browser.wait(f"{text}.includes('≤ 128 µs')"))
    browser.run("document.querySelector('#tools button').click()")
    browser.key("p")
    tally.check("a key pauses", browser.run(f"{text}.includes('Paused.')"))
    browser.key("p")
    browser.key("1")
    unnamed = "[...document.querySelectorAll('button, input, select')].filter(it =>"
    unnamed += " !it.innerText && !it.labels?.length).length"
    tally.check("each control has a name", browser.run(unnamed) == 0)


CONTRASTS = """(() => {
  const style = getComputedStyle(document.documentElement);
  const light = name => {
    const hex = style.getPropertyValue(name).trim().slice(1);
    const parts = [0, 2, 4].map(at => parseInt(hex.slice(at, at + 2), 16) / 255);
    const [r, g, b] = parts.map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const pairs = ["text page", "text card", "quiet page", "quiet card", "accent accent-soft",
    "alarm alarm-soft", "good good-soft", "warn warn-soft", "alarm card", "good card", "text hover",
    "quiet accent-soft", "text accent-soft", "alarm accent-soft"];
  return pairs.filter(pair => {
    const [a, b] = pair.split(" ").map(name => light("--" + name)).sort((a, b) => b - a);
    return (a + .05) / (b + .05) < 4.5;
  });
})()"""


def check_looks(tally, browser, folder):
    for width, height in [(1280, 800), (390, 844)]:
        for scheme in ["light", "dark"]:
            browser.size(width, height, scheme)
            browser.run("scrollTo(0, 0)")
            wide = browser.run("document.documentElement.scrollWidth")
            tally.check(f"{width} {scheme}: nothing is cut off", wide <= width, wide)
            low = browser.run(CONTRASTS)
            tally.check(f"{width} {scheme}: contrast", low == [], low)
            for key, name in enumerate(["groups", "tree", "tasks", "timers", "sockets", "loops"], 1):
                browser.key(str(key))
                browser.wait("document.querySelectorAll('.rows .line, .figure').length")
                wide = browser.run("document.documentElement.scrollWidth")
                tally.check(f"{width} {scheme}: {name} fit", wide <= width, wide)
                browser.screenshot(folder / f"{name}-{width}-{scheme}.png")
            browser.key("1")


def check_many(tally, browser, program):
    program.connections = 80_000
    browser.size(1280, 800)
    tally.check("100,000 tasks arrive", browser.wait("state.tasks.length > 100_000"))
    for tab in ["groups", "tree", "tasks"]:
        script = f"(() => {{ const began = performance.now(); show('{tab}');"
        took = browser.run(script + " return performance.now() - began; })()")
        tally.check(f"100,000 tasks, {tab}: {took:.0f} ms", took < DRAW_MS_MAX)
        drawn = browser.run("document.querySelectorAll('.rows .line').length")
        tally.check(f"100,000 tasks, {tab}: {drawn} rows are drawn", 0 < drawn < ROWS_MAX)
    browser.run("document.querySelector('.grid').focus()")
    browser.key("End")
    last = "document.querySelector('.rows .line.active')?.id"
    tally.check("a key goes to the last row", browser.run(f"{last} === `row-${{rows.length - 1}}`"))
    program.connections = 40
    browser.run("scrollTo(0, 0)")


def main():
    evloop = str(pathlib.Path(sys.argv[1]).resolve())
    folder = pathlib.Path(sys.argv[2] if sys.argv[2:] else tempfile.mkdtemp(prefix="evloop-shots-"))
    folder.mkdir(exist_ok=True)
    if not sys.argv[2:]:
        atexit.register(shutil.rmtree, folder, True)
    tally = Tally()
    program = Program()
    web = Web(evloop, program)
    check_server(tally, web)
    if not install(chromium="chromium"):
        print("!!! SKIPPED: without Chromium, the page is not checked in a browser", file=sys.stderr)
        tally.close()
    browser = Browser("chromium")
    browser.size(1280, 800)
    browser.call("Page.navigate", url=web.url)
    check_views(tally, browser)
    check_looks(tally, browser, folder)
    check_many(tally, browser, program)
    problems = browser.problems()
    tally.check("the console is empty", problems == [], problems)
    hosts = {url.split("/")[2] for url in browser.requested() if url.startswith("http")}
    tally.check("one origin is asked", hosts == {web.host}, hosts)
    tally.check("no address has the token", not any(f"?{web.token}" in it or web.token in
                it.partition("#")[0] for it in browser.requested()))  # fmt: skip
    program.is_stuck = True
    browser.call("Page.navigate", url="about:blank")
    browser.call("Page.navigate", url=web.url)
    stuck = "document.querySelector('.loop.stuck')"
    tally.check("a stuck loop is red on a page opened late", browser.wait(stuck))
    words = "document.querySelector('#alarms').innerText"
    tally.check("who holds it is named", browser.wait(f"{words}.includes('4 resize images')"))
    tally.check("and since when", browser.run(f"{words}.includes('12.3 s')"), browser.run(words))
    tally.check("old tasks are shown", browser.wait("document.querySelector('.rows .line')"))
    for scheme in ["light", "dark"]:
        browser.size(1280, 800, scheme)
        browser.screenshot(folder / f"stuck-1280-{scheme}.png")
        browser.size(390, 844, scheme)
        browser.screenshot(folder / f"stuck-390-{scheme}.png")
    tally.close()


main()
