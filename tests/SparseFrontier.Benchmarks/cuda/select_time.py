"""Times select.cu on one Hopper GPU and compares what versions of it choose.

    python3 select_time.py [FOLDER]     FOLDER: the kernels of another version, as `git worktree` gives them; from cefbf85 on, whose constants and arguments they have

Times are medians of recorded launches in microseconds: rows of scores near 1, of many magnitudes, and all equal. `old` of results/cuda-choice.txt was one thread block of 512 threads without THREADS, and one launch a list."""
import ctypes
import sys

import torch

import hopper
from decode_time import Function

SHAPES = [(2048, 1, 256, 32, 0, 0), (256, 1, 1024, 128, 0, 0), (64, 1, 2048, 128, 0, 0), (256, 32, 8192, 400, 1, 4096), (32, 1, 32768, 90, 0, 0), (32, 1, 131072, 300, 0, 0), (1, 1, 1048576, 65536, 0, 0)]
OWN = hopper.KERNELS


def function(folder, name, columns):
    """The kernel of a version for rows so long, as CudaSelection.cs compiles it, and its threads."""
    hopper.KERNELS = folder
    threads = 128 if columns <= 1024 else 512 if columns <= 8192 else 1024
    return Function("select.cu", name, TYPE=0, THREADS=threads), threads


def time(launch, rounds=30, launches=10):
    launch()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(launches):
            launch()
    times = []
    for _ in range(rounds):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) * 1000 / launches)
    return sorted(times)[rounds // 2]


def whole(*shape):
    return torch.zeros(*shape, dtype=torch.int32, device="cuda")


def compare(text, cases):
    """cases: (launch, outputs) of each version."""
    times = [time(launch) for launch, _ in cases]
    same = all(torch.equal(a, b) for _, outputs in cases for a, b in zip(cases[0][1], outputs))
    print(f"{text}: {', '.join(f'{t:.1f}' for t in times)} us; {'same' if same else 'DIFFERENT'}", flush=True)


def main():
    folders = [OWN, *sys.argv[1:]]
    generator = torch.Generator(device="cuda").manual_seed(1)
    kinds = {
        "near 1": lambda *shape: 1 + 0.08 * torch.randn(*shape, device="cuda", generator=generator),
        "wide": lambda *shape: torch.exp(8 * torch.randn(*shape, device="cuda", generator=generator) - 8),
        "equal": lambda *shape: torch.full(shape, 0.5, device="cuda"),
    }
    for kind, draw in kinds.items():
        for rows, heads, columns, width, causal, first in SHAPES:
            scores = draw(heads, rows, columns).contiguous()
            cases = []
            for folder in folders:
                kernel, threads = function(folder, "selectLargest", columns)
                chosen = whole(rows * heads, width)
                cases.append((kernel.prepare((rows, heads, 1), threads, 0, scores, ctypes.c_int64(columns), None, first, causal, columns, None, chosen, width, None, 4, 0), [chosen]))
            compare(f"{kind}: selectLargest, {rows} x {heads} rows of {columns}, {width} of each", cases)
        for columns in (32768, 131072):
            byKey, byOffset = draw(32, columns), draw(32, columns)
            limit = float(byKey[0].sum() * 0.3)
            covering, choosing = [], []
            for folder in folders:
                kernel, threads = function(folder, "countCovering", columns)
                counts = [whole(32), whole(32)]
                covering.append((kernel.prepare((32, 2, 1), threads, 0, byKey, byOffset, columns, limit, 64, 64, 0, *counts), counts))
                kernel, threads = function(folder, "selectVerticalSlash", columns)
                chosen = [whole(32), whole(32), whole(32, columns), whole(32, columns)]
                choosing.append((kernel.prepare((32, 2, 1), threads, 0, byKey, byOffset, columns, 1, *chosen, 90, 90, 4, 64), chosen))
            compare(f"{kind}: countCovering, 2 x 32 rows of {columns}", covering)
            compare(f"{kind}: selectVerticalSlash, 2 x 32 rows of {columns}, 90 of each", choosing)


if __name__ == "__main__":
    main()
