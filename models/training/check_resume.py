"""Checks, on a CPU and in a few minutes, that a training that was stopped goes on as if it had not been.

    python3 check_resume.py --engine "dotnet sparsefrontier.dll" --tokenizer DIRECTORY

Trains a tiny setting in one go, and once more stopped by SIGTERM among the copies, killed later on and stopped by Ctrl-C, gone on with each time. All that is
kept must be equal, bit for bit. Levels are passed without merit, so that there are some.
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import torch


def child():
    import train
    train.CHECKPOINT, train.EXAMINED, train.SIZES["1m"] = 5, (), (2, 64, 128, 2, 1)
    train.CURRICULUM["VariableTracking"] = (-1, train.CURRICULUM["VariableTracking"][1][:4])
    train.CURRICULUM["Niah"] = (-1, train.CURRICULUM["Niah"][1][:3])
    train.main()


def trained(output, *arguments, until=None, by=None):
    """Trains; sends a signal once a line matches. Returns the exit code and what was printed."""
    command = [sys.executable, __file__, "child", *sys.argv[1:], "--output", output, "--device", "cpu", "--size", "1m", "--tasks", "VariableTracking,Niah",
               "--batch", "2048", "--copy-steps", "40", "--tokens", "4e5", "--seconds", "1e9", *arguments]
    process, text = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True), ""
    for line in process.stdout:
        text += line
        print(f"  {line}", end="", flush=True)
        if until and re.search(until, line):
            time.sleep(2)
            process.send_signal(by)
            until = None
    return process.wait(), text


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a.keys() - {"seconds", "resumed", "waited"})
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def main():
    with tempfile.TemporaryDirectory() as folder:
        whole, parts = os.path.join(folder, "whole"), os.path.join(folder, "parts")
        file = os.path.join(parts, "checkpoint", "run.pt")
        assert trained(whole)[0] == 0
        code, text = trained(parts, until="parameters", by=signal.SIGTERM)
        assert code == 143 and "stopped by SIGTERM" in text
        assert trained(parts, until="Niah -> level 1", by=signal.SIGKILL)[0] == -9
        with open(file + ".new", "wb") as half:
            half.write(b"half a checkpoint")
        code, text = trained(parts, until="VariableTracking -> level 2", by=signal.SIGINT)
        assert code == 130 and "goes on from" in text and "stopped by SIGINT" in text
        code, text = trained(parts, "--seed", "2")
        assert code == 1 and "--seed 1, not 2" in text
        code, text = trained(parts)
        assert code == 0 and "goes on from" in text
        one, other = (torch.load(os.path.join(f, "checkpoint", "run.pt"), weights_only=True) for f in (whole, parts))
        for state in (one, other):
            state.update(json.loads(state.pop("rest")))
        for part in one.keys() - {"seconds"}:
            assert same(one[part], other[part]), part
        print(f"{one['run']['step']} steps, stopped at {other['run']['resumed']}: equal bit for bit, levels {one['run']['reached']}")
        assert "nothing to do" in trained(parts)[1]
        os.truncate(file, 1000)
        code, text = trained(parts)
        assert code == 1 and "cannot be read" in text


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        del sys.argv[1]
        child()
    else:
        main()
