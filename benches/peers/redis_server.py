"""The real redis-server as a peer: `redis_server.py redis N` starts it without persistence.

It prints the port and the process id once the server is ready, and ends when the server does.
"""

import shutil
import socket
import subprocess
import sys

if sys.argv[1] != "redis":
    sys.exit(3)

with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
arguments = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
with subprocess.Popen([shutil.which("redis-server"), *arguments], stdout=subprocess.PIPE,
                      text=True) as server:
    for line in server.stdout:
        if "Ready to accept connections" in line:
            print(f"port={port} pid={server.pid}", flush=True)
