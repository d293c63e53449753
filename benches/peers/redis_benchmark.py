"""redis-benchmark as the load generator: it asks, and the server's CPU clock is read here."""

import csv
import time

CONNECTIONS = 50


def sample(output, port, pid, command, depth, n):
    """As the load generator's; `output` runs a command. There is no 99.9th percentile."""
    def ask(requests):
        line = output("redis-benchmark", "-h", "127.0.0.1", "-p", port, "-c", CONNECTIONS, "-t",
                      command, "-P", depth, "-n", requests, "--csv")
        *_, last = csv.DictReader(line.splitlines())
        return last

    ask(n // 10)
    before, start = cpu_ns(pid), time.monotonic_ns()
    figures = ask(n)
    cpu, wall = cpu_ns(pid) - before, time.monotonic_ns() - start
    tails = {f"{share}_ns": int(float(figures[f"{share}_latency_ms"]) * 1e6)
             for share in ("p50", "p99")}
    return {"ops": n, "total": n // 10 + n, "wall_ns": wall, "cpu_ns": cpu, **tails}


def cpu_ns(pid):
    """The CPU clock of another process, all its threads: clock_getcpuclockid(3) of Linux."""
    return time.clock_gettime_ns(~pid << 3 | 2)
