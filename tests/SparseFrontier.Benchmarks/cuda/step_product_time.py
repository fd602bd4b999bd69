"""Products of few rows with weights (step_product.cu) against a float64 product and cuBLAS's, on the shapes of Qwen2.5-7B: error, equal bits for any number of rows, share of
the bandwidth of a large read. Weights rotate through more memory than the L2 cache holds.

    python3 step_product_time.py [WARPS,UNROLL ...]"""
import ctypes
import statistics
import sys

import torch

import hopper

SHAPES = {  # name: (kind, outputs of each matrix, depth)
    "qkv": (0, [3584, 512, 512], 3584),
    "output": (2, [3584], 3584),
    "gate-up": (3, [18944], 3584),
    "down": (2, [3584], 18944),
    "logits": (1, [152064], 3584),
}


class Part(ctypes.Structure):
    _fields_ = [("weights", ctypes.c_uint64), ("up", ctypes.c_uint64), ("bias", ctypes.c_uint64), ("y", ctypes.c_uint64), ("outputs", ctypes.c_int32), ("first_block", ctypes.c_int32)]


class Step:
    def __init__(self, kind, rows, warps, unroll):
        self.kind, self.warps = kind, warps
        options = dict(TYPE=0, ROWS=(rows + 7) // 8 * 8, WARPS=warps, UNROLL=unroll, KIND=kind)
        cubin, self.log = hopper.compile_kernel(options, "step_product.cu")
        self.function = hopper.load(cubin, b"stepProduct")

    def prepare(self, x, weights, ups, biases, ys):
        parts = (Part * 3)()
        block, per = 0, 8 if self.kind == 3 else 16
        for i in range(3):
            if i < len(weights):
                parts[i] = Part(weights[i].data_ptr(), ups[i].data_ptr() if ups else 0, biases[i].data_ptr() if biases else 0, ys[i].data_ptr(), weights[i].shape[0], block)
                block += (weights[i].shape[0] + per - 1) // per
            else:
                parts[i] = Part(0, 0, 0, 0, 0, 1 << 30)
        values = [ctypes.c_uint64(x.data_ptr()), parts, ctypes.c_int32(x.shape[0]), ctypes.c_int32(x.shape[1]), ctypes.c_int32(0)]
        parameters = (ctypes.c_void_p * len(values))(*(ctypes.addressof(v) for v in values))
        keep, grid = (values, x, weights, ups, biases, ys), block

        def launch():
            keep
            hopper.check(hopper.driver().cuLaunchKernel(self.function, grid, 1, 1, 32 * self.warps, 1, 1, 0, ctypes.c_void_p(torch.cuda.current_stream().cuda_stream), parameters, None), "cuLaunchKernel")

        return launch


def random(*shape):
    return torch.randn(*shape, device="cuda", dtype=torch.bfloat16)


def expected(kind, x, weights, ups, biases, ys):
    products = [x.double() @ w.double().T for w in weights]
    if kind == 0:
        return [p + b.double() for p, b in zip(products, biases)]
    if kind == 2:
        return [products[0] + ys[0].double()]
    if kind == 3:
        return [torch.nn.functional.silu(products[0]) * (x.double() @ ups[0].double().T)]
    return products


def error(a, b):
    return ((a.double() - b).norm() / b.norm()).item()


def check(warps, unroll):
    worst = 0
    for name, (kind, outputs, depth) in list(SHAPES.items()) + [("odd", (0, [40, 24, 8], 200)), ("odd gate", (3, [104], 72))]:
        outputs = [min(n, 4096) for n in outputs]
        weights, ups = [random(n, depth) / depth ** 0.5 for n in outputs], [random(n, depth) / depth ** 0.5 for n in outputs] if kind == 3 else None
        biases = [torch.randn(n, device="cuda") for n in outputs] if kind == 0 else None
        most = random(64, depth)
        base = [torch.randn(64, n, device="cuda") if kind in (1, 2) else random(64, n) for n in outputs]
        reference = None
        for rows in (64, 30, 9, 8, 7, 2, 1):
            kernel = Step(kind, rows, warps, unroll)
            x, ys = most[:rows].contiguous(), [b[:rows].clone() for b in base]
            want = expected(kind, x, weights, ups, biases, ys)
            kernel.prepare(x, weights, ups, biases, ys)()
            torch.cuda.synchronize()
            worst = max(worst, *(error(y, w) / (5e-3 if kind in (0, 3) else 1e-5) for y, w in zip(ys, want)))
            reference = reference or ys
            assert all(torch.equal(y, r[:rows]) for y, r in zip(ys, reference)), (name, rows)
    return worst


def seconds(launches, repeats=7):
    times = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for launch in launches:
            launch()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) * 1e-3 / len(launches))
    return statistics.median(times)


def graph(launches):
    """Replays of all launches without the host between them."""
    for launch in launches:
        launch()
    torch.cuda.synchronize()
    g = torch.cuda.CUDAGraph()
    with torch.cuda.graph(g):
        for launch in launches:
            launch()
    return seconds([g.replay]) / len(launches)


if __name__ == "__main__":
    torch.manual_seed(3)
    big = torch.empty(5 << 28, dtype=torch.bfloat16, device="cuda")
    copy = seconds([lambda: big[:1 << 29].copy_(big[1 << 29:1 << 30])])
    print(f"{torch.cuda.get_device_name()}; copy {2 * (1 << 30) / copy / 1e12:.2f} TB/s, read (sum of float32) {(1 << 31) / seconds([lambda: big[:1 << 30].view(torch.float32).sum()]) / 1e12:.2f} TB/s", flush=True)
    variants = [tuple(int(n) for n in a.split(",")) for a in sys.argv[1:]] or [(8, 4), (4, 4)]
    for v in variants:
        try:
            print(f"warps, unroll {v}: worst error {check(*v):.2f} of the limit, the same bits at 1 to 64 rows", flush=True)
        except Exception as e:
            print(f"warps, unroll {v}: FAILED {type(e).__name__} {str(e)[:300]}", flush=True)
    big.normal_()
    for name, (kind, outputs, depth) in SHAPES.items():
        size = sum(outputs) * depth * (2 if kind == 3 else 1)
        copies = max(1, min(28, big.numel() // size))
        sets = []
        for c in range(copies):
            at, weights, ups = c * size, [], []
            for n in outputs:
                weights.append(big[at:at + n * depth].view(n, depth))
                at += n * depth
                if kind == 3:
                    ups.append(big[at:at + n * depth].view(n, depth))
                    at += n * depth
            sets.append((weights, ups))
        biases = [torch.randn(n, device="cuda") for n in outputs]
        for rows in (1, 8, 32):
            x = random(rows, depth)
            ys = [torch.zeros(rows, n, device="cuda") if kind in (1, 2) else random(rows, n) for n in outputs]
            line = []
            joined = [big[c * size:(c + 1) * size].view(-1, depth) for c in range(copies)]
            t = graph([lambda w=w: torch.mm(x, w.T) for w in joined])
            line.append(f"cuBLAS {t * 1e6:.1f} us {size * 2 / t / 1e12:.2f}")
            for v in variants:
                try:
                    kernel = Step(kind, rows, *v)
                    t = graph([kernel.prepare(x, w, u, biases if kind == 0 else None, ys) for w, u in sets])
                    line.append(f"{','.join(map(str, v))} {t * 1e6:.1f} us {size * 2 / t / 1e12:.2f}")
                except Exception as e:
                    line.append(f"{v} {type(e).__name__} {str(e)[:80]}")
            print(f"{name} rows {rows} (TB/s): " + " | ".join(line), flush=True)
