"""reqwest in tasks of evloop, with tokio as the host, against the example `http-server`.

usage: reqwest_client.py REQWEST-GET HTTP-SERVER
"""

import subprocess
import sys

from harness import PATIENCE, Server, Tally


def main():
    reqwest_get, http_server = sys.argv[1:]
    tally, server = Tally(), Server([http_server, "127.0.0.1:0", "1000"])
    base = f"http://127.0.0.1:{server.port}"

    def get(*urls):
        command = [reqwest_get, *urls]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)

    urls = [f"{base}/?{number}" for number in range(50)]
    done = get(*urls)
    lines = sorted(line.partition(": ")[0] for line in done.stdout.splitlines())
    tally.check("50 pages at once", done.returncode == 0 and lines == sorted(urls), done)
    done = get(f"{base}/slow", f"{base}/")
    lines = [line.partition(": ")[0] for line in done.stdout.splitlines()]
    tally.check("a slow page comes last", lines == [f"{base}/", f"{base}/slow"], done)
    tally.check("no errors", not done.stderr, done)
    stopped = server.interrupt()
    tally.check("the server stops", stopped == 0, stopped)
    done = get(f"{base}/")
    is_reported = done.returncode == 1 and base in done.stderr
    tally.check("a refused connection is reported", is_reported, done)
    tally.close()


main()
