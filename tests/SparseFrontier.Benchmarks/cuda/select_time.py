"""Times select.cu, and all that BlockSparse with blocks of 16 chooses by, on one Hopper GPU and compares what versions choose.

    python3 select_time.py [blocks] [FOLDER...]     blocks: BlockSparse alone; FOLDER: the kernels of another version, as `git worktree` gives them; from cefbf85 on, whose constants and arguments they have

Times are medians of recorded launches in microseconds: rows of scores near 1, of many magnitudes, and all equal. `old` of results/cuda-choice.txt was one thread block of 512 threads without THREADS, and one launch a list."""
import ctypes
import os
import sys

import torch

import hopper
from decode_time import DIM, HEADS, KV_HEADS, Function, select_threads

SHAPES = [(2048, 1, 256, 32, 0, 0), (256, 1, 1024, 128, 0, 0), (64, 1, 2048, 128, 0, 0), (256, 32, 8192, 400, 1, 4096), (32, 1, 32768, 90, 0, 0), (32, 1, 131072, 300, 0, 0), (1, 1, 1048576, 65536, 0, 0)]
OWN, BLOCK = hopper.KERNELS, 16


def holds(folder):
    """Whether its short rows are held in registers, and block means multiplied by tensor cores."""
    return os.path.exists(os.path.join(folder, "block_scores.cu"))


def kernel_of(folder, file, name, **options):
    hopper.KERNELS = folder
    return Function(file, name, **options)


def function(folder, name, columns, rows=0):
    """The kernel of a version for rows so long, as CudaSelection.cs compiles it, and its threads. rows: of selectLargest."""
    threads = select_threads(columns, rows) if rows and holds(folder) else 128 if columns <= 1024 else 512 if columns <= 8192 else 1024
    return kernel_of(folder, "select.cu", name, TYPE=0, THREADS=threads), threads


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


def block_launches(folder, scores, blocks, first, rows, strip, pooled):
    """A strip of BlockSparse as CudaSelection.ChooseBlocks has it: (scores, choice, chosen), of means that are pooled."""
    top, columns, long = blocks // 20, first + rows, ctypes.c_int64
    query_means, key_means = pooled
    chosen = whole(HEADS, rows, top)
    if holds(folder):
        score = kernel_of(folder, "block_scores.cu", "scoreMeans", TYPE=0, HEAD=DIM).prepare(
            ((columns + 511) // 512, (rows + 127) // 128, HEADS), 128, 3 * 64 * DIM * 2, query_means[:, first:], key_means, scores, first, rows, columns, 512, HEADS // KV_HEADS, DIM,
            long(blocks * DIM), long(blocks * DIM), blocks)
    else:
        score = kernel_of(folder, "blocks.cu", "multiplyTransposed", TYPE=0).prepare(
            ((columns + 31) // 32, (rows + 31) // 32, HEADS), 256, 0, query_means[:, first:], key_means, scores, rows, columns, DIM, long(DIM), long(DIM), long(blocks), 1, 1, first,
            long(blocks * DIM), long(blocks * DIM), long(rows * blocks), HEADS // KV_HEADS)
    kernel, threads = function(folder, "selectLargest", blocks, strip * HEADS)
    return score, kernel.prepare((rows, HEADS, 1), threads, 0, scores, long(blocks), None, first, 1, blocks, None, chosen, top, None, 1, 2), chosen


def compare_blocks(folders, length, generator):
    """BlockSparse with blocks of 16 at sparsity 0.9: pooling, scores, choice and their sum in milliseconds; scores that differ between versions, and whether they choose the same from the same scores."""
    queries, keys = (torch.randn(heads, length, DIM, device="cuda", generator=generator).bfloat16() for heads in (HEADS, KV_HEADS))
    blocks, long = length // BLOCK, ctypes.c_int64
    strip = min(blocks, (256 << 20) // 4 // blocks // HEADS // 32 * 32)
    scores, texts, last = torch.zeros(HEADS * strip * blocks, device="cuda"), [], []
    for folder in folders:
        pooling, pooled = [], []
        for vectors in (queries, keys):
            heads = vectors.shape[0]
            means = torch.zeros(heads, blocks, DIM, device="cuda", dtype=torch.bfloat16 if holds(folder) else torch.float32)
            pooled.append(means)
            grid = ((blocks * DIM // 8 + 127) // 128, heads, 1) if holds(folder) else (blocks, heads, 1)
            pooling.append(kernel_of(folder, "blocks.cu", "sumBlocks", TYPE=0).prepare(grid, 128, 0, vectors, means, length, BLOCK, DIM, long(length * DIM), long(DIM), float(BLOCK)))
        strips = [block_launches(folder, scores, blocks, first, min(strip, blocks - first), strip, pooled) for first in range(0, blocks, strip)]
        each = lambda launches: lambda: [launch() for launch in launches]
        scoring, choosing = [s[0] for s in strips], [s[1] for s in strips]
        # The choice of a strip is from its own scores; timed alone it is from those of the last.
        times = [time(each(launches), 5, 1) / 1000 for launches in (pooling, scoring, choosing, pooling + [launch for s in strips for launch in s[:2]])]
        texts.append(f"{times[0]:.3f} + {times[1]:.3f} + {times[2]:.3f}, together {times[3]:.3f}")
        first, rows = blocks - (blocks - 1) % strip - 1, (blocks - 1) % strip + 1
        last.append(scores[:HEADS * rows * blocks].view(HEADS, rows, blocks).tril(first).clone())
    chosen = []
    for folder in folders:
        scores[:last[0].numel()] = last[0].flatten()
        _, choose, indices = block_launches(folder, scores, blocks, first, rows, strip, pooled)
        choose()
        chosen.append(indices)
    different = [f"{float((last[0] != other).float().mean()):.1e}" for other in last[1:]]
    same = all(torch.equal(chosen[0], other) for other in chosen)
    print(f"blocks of {BLOCK}, {length} tokens: {'; '.join(texts)} ms; scores that differ {', '.join(different) or 'none'}; {'same' if same else 'DIFFERENT'} choice", flush=True)


def main():
    parts = [a for a in sys.argv[1:] if a == "blocks"]
    folders = [OWN, *(a for a in sys.argv[1:] if a != "blocks")]
    generator = torch.Generator(device="cuda").manual_seed(1)
    kinds = {
        "near 1": lambda *shape: 1 + 0.08 * torch.randn(*shape, device="cuda", generator=generator),
        "wide": lambda *shape: torch.exp(8 * torch.randn(*shape, device="cuda", generator=generator) - 8),
        "equal": lambda *shape: torch.full(shape, 0.5, device="cuda"),
    }
    for length in (16384, 32768, 131072):
        compare_blocks(folders, length, generator)
    if parts:
        return
    for kind, draw in kinds.items():
        for rows, heads, columns, width, causal, first in SHAPES:
            scores = draw(heads, rows, columns).contiguous()
            cases = []
            for folder in folders:
                kernel, threads = function(folder, "selectLargest", columns, rows * heads)
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
