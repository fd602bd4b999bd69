#!/usr/bin/env python3
"""Rows a second that a run of the command line brings to the disk.

    row_rate.py NAME COMMAND...     (COMMAND without --results: a folder of its own is given to it)

The rows of all samples files are counted while the command runs. The rate is that between the first rows and the last, which leaves the start of the program and of the GPU out;
the whole time is told as well.
"""
import glob
import os
import subprocess
import sys
import tempfile
import time


def main():
    name, command = sys.argv[1], sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        start = time.time()
        with open(os.path.join(folder, "log"), "w") as log:
            process = subprocess.Popen(command + ["--results", os.path.join(folder, "results")], stdout=log, stderr=subprocess.STDOUT)
        read = {}  # file: bytes counted, rows
        points = [(0.0, 0)]
        running = True
        while running:
            running = process.poll() is None
            for file in glob.glob(os.path.join(folder, "results", "*", "samples-*.jsonl")):
                done, rows = read.get(file, (0, 0))
                with open(file, "rb") as samples:
                    samples.seek(done)
                    new = samples.read()
                read[file] = (done + len(new), rows + new.count(b"\n"))
            total = sum(rows for _, rows in read.values())
            if total != points[-1][1]:
                points.append((time.time() - start, total))
            time.sleep(0.03 if running else 0)
        whole = time.time() - start
        if process.returncode != 0:
            with open(os.path.join(folder, "log")) as log:
                sys.exit(f"{name}: exit code {process.returncode}: {log.read()[-500:]}")
    first, last = points[1 if len(points) > 1 else 0], points[-1]
    rate = f"{(last[1] - first[1]) / (last[0] - first[0]):.0f} a second between them" if last[0] > first[0] else "all at once"
    print(f"{name}: {last[1]} rows in {whole:.2f} s; first {first[1]} at {first[0]:.2f} s, last at {last[0]:.2f} s: {rate}", flush=True)


main()
