"""Checks prefill_hopper.cu and vertical_slash_lists.cu on a Hopper GPU.

    python3 prefill_hopper_check.py                            every configuration against float64: tails, groups, windows, offsets, empty rows, repeats
    python3 prefill_hopper_check.py smoke [CONFIGURATION...]   a few small cases, for compute-sanitizer"""
import multiprocessing
import sys

import torch

from hopper import CONFIGS, Kernel, VerticalSlashLists, compile_kernel, lists_of


def reference(q, k, v, allowed, dtype):
    """Softmax attention in dtype over allowed [B, H, N, M]; rows without keys give 0 and -inf."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1).to(dtype), v.repeat_interleave(group, 1).to(dtype)
    scores = (q.to(dtype) @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
    scores = scores.masked_fill(~allowed, float("-inf"))
    lse = torch.logsumexp(scores.double(), -1)
    weights = torch.softmax(scores, -1).nan_to_num(0.0)
    return weights @ v, lse


def causal(n, m, offset, window):
    distance = (torch.arange(n, device="cuda")[:, None] + offset) - torch.arange(m, device="cuda")[None]
    return (distance >= 0) & (distance < (window if window else 1 << 30))


def far(tensor):
    """The same values where the second batch entry lies beyond 2^31 elements."""
    b, h, n, d = tensor.shape
    base = torch.empty(2 ** 31 + 64 + h * n * d, dtype=tensor.dtype, device="cuda")
    result = base.as_strided(tensor.shape, (2 ** 31 + 64, n * d, d, 1))
    result.copy_(tensor)
    return result


def run_case(kernel, b, h, hk, n, m, d, offset, kind, dtype, seed, strided=False, window=0, spread=False, most_blocks=1 << 30):
    g = torch.Generator(device="cuda").manual_seed(seed)
    make = lambda *s: torch.randn(*s, device="cuda", dtype=torch.float32, generator=g).to(dtype)
    if strided:     # [batch, row, head, dim] in memory
        q, k, v = make(b, n, h, d).transpose(1, 2), make(b, m, hk, d).transpose(1, 2), make(b, m, hk, d).transpose(1, 2)
        out = torch.full((b, n, h, d), float("nan"), device="cuda", dtype=dtype).transpose(1, 2)
    else:
        q, k, v = make(b, h, n, d), make(b, hk, m, d), make(b, hk, m, d)
        out = torch.full((b, h, n, d), float("nan"), device="cuda", dtype=dtype)
    if spread:
        q, k, v, out = far(q), far(k), far(v), far(out)
    lse = torch.full((b, h, n), float("nan"), device="cuda")
    rows, block = kernel.options["ROWS"], kernel.options["BLOCK"]
    allowed = causal(n, m, offset, window)[None, None].expand(b, h, n, m).clone()
    lists = None
    if kind != "dense":
        cpu = torch.Generator().manual_seed(seed)
        per_head = (n + rows - 1) // rows
        blocks, columns = [], []
        keep = torch.zeros(b, h, n, m, dtype=torch.bool)
        for item in range(b * h * per_head):
            r = item % per_head * rows
            bi, hi = item // per_head // h, item // per_head % h
            last = min(offset + r + rows, m)
            own, single = [], []
            if torch.rand(1, generator=cpu) > 0.1:      # else an empty row
                s = 0
                while s < last:
                    if kind == "ranges":
                        s += int(torch.randint(0, 2 * block, (1,), generator=cpu))
                        if s < last: own.append(s)
                    elif torch.rand(1, generator=cpu) < 0.4:
                        own.append(s)
                    s += block
                if kernel.options["COLUMNS"]:
                    covered = torch.zeros(m, dtype=torch.bool)
                    for s in own: covered[s:s + block] = True
                    free = [c for c in range(min(offset + r, m)) if not covered[c]]
                    count = int(torch.randint(0, len(free) + 1, (1,), generator=cpu)) if free else 0
                    single = sorted(free[i] for i in torch.randperm(len(free), generator=cpu)[:count].tolist())
            for s in own: keep[bi, hi, r:r + rows, s:s + block] = True
            if single: keep[bi, hi, r:r + rows, single] = True
            blocks.append(own)
            columns.append(single)
        allowed &= keep.cuda()
        lists = lists_of(rows, block, blocks, columns, n, m, offset)
    launch = kernel.prepare(q, k, v, out, lse, lists, offset, window=window, most_blocks=most_blocks)
    launch()
    torch.cuda.synchronize()
    first = out.clone()
    out.fill_(float("nan"))
    launch()
    torch.cuda.synchronize()
    same = torch.equal(first, out)
    exact, exact_lse = reference(q, k, v, allowed, torch.float64)
    plain, _ = reference(q, k, v, allowed, dtype)
    error = (out.double() - exact).abs().max().item()
    bound = 2 * (plain.double() - exact).abs().max().item() + 1e-5
    finite = torch.isfinite(exact_lse)
    lse_error = (lse.double() - exact_lse)[finite].abs().max().item() if finite.any() else 0.0
    lse_right = lse_error < 2e-4 and torch.equal(torch.isinf(lse), ~finite)
    return error, bound, lse_error, same and lse_right and error <= bound


def check():
    failures = total = 0
    cases = [(1, 4, 1, 1), (1, 4, 4, 17), (1, 7, 1, 63), (1, 8, 2, 64), (3, 4, 1, 65), (1, 4, 2, 127), (1, 7, 7, 128), (2, 8, 1, 129), (1, 4, 1, 300), (3, 8, 1, 1000), (1, 2, 1, 2049)]
    for name, options in CONFIGS.items():
        for dtype in (torch.bfloat16, torch.float16):
            worst = 0.0
            kernel = Kernel(options, dtype)
            plan = []
            for i, (b, h, hk, m) in enumerate(cases):
                d = options["HEAD_DIM"] - (8 if i % 3 == 1 else 0)
                for kind in ("dense", "blocks", "ranges"):
                    for offset in (0, m // 3, m):       # m: queries after all keys
                        n = m if offset in (0, m) else m - offset
                        plan.append((b, h, hk, n, m, d, offset, kind, dtype, 100 + i, i % 2 == 1))
                plan += [(b, h, hk, m - m // 3, m, d, m // 3, "dense", dtype, 200 + i, False, window) for window in (1, 50, 64, 200, 5000)]
            if options["ROWS"] == 64 and options["HEAD_DIM"] == 128:
                plan.append((2, 2, 1, 300, 300, 128, 0, "blocks", dtype, 300, False, 0, True))
            for arguments in plan:
                error, bound, lse_error, good = run_case(kernel, *arguments)
                total += 1
                worst = max(worst, error / bound)
                if not good:
                    failures += 1
                    if failures <= 24:
                        print(f"WRONG {name} {arguments}: error {error:.2e} bound {bound:.2e} lse {lse_error:.2e}", flush=True)
            print(f"{name} {str(dtype)[6:]}: {len(plan)} cases, worst error {worst:.2f} of the bound (twice the error of a plain {str(dtype)[6:]} computation)", flush=True)
    cases, wrong = check_vertical_slash()
    total, failures = total + cases, failures + wrong
    print(f"{total - failures} passed, {failures} failed", flush=True)
    return failures == 0


def vertical_slash_reference(verticals, slashes, end, first_row, length):
    """Blocks (descending) with the number of masked ones, and columns, of the 64 rows before end."""
    starts, range_end = [], -64
    for slash in reversed([s for s in slashes if 0 <= s < end]):
        own = max(end - slash, 64)
        if own <= range_end:
            continue
        starts.append(range_end if own <= range_end + 64 else own - 64)
        range_end = starts[-1] + 64
    singles = [v for v in verticals if 0 <= v < range_end and not any(s <= v < s + 64 for s in starts)]
    return starts[::-1], sum(s + 63 > first_row or s + 64 > length for s in starts), singles


def check_vertical_slash():
    kernel, wrong, total = VerticalSlashLists(), 0, 0
    g = torch.Generator().manual_seed(5)
    for length, nv, ns, first in [(1, 1, 1, 0), (64, 5, 3, 0), (1000, 64, 40, 0), (3000, 100, 333, 0), (3000, 700, 64, 1024)]:
        pick = lambda count, forced: sorted(set(forced + torch.randint(0, length, (count - 1,), generator=g).tolist()))
        fill = lambda x, count: x + [-1] * (count - len(x))
        verticals, slashes = [pick(nv, []) for _ in range(3)], [pick(ns, [0]) for _ in range(3)]
        as_int = lambda x, count: torch.tensor([fill(y, count) for y in x], dtype=torch.int32, device="cuda")
        blocks = (length - first + 63) // 64
        launch, (table, starts, columns) = kernel.prepare(as_int(verticals, nv), as_int(slashes, ns), blocks, first, length)
        launch()
        table, starts, columns = table.tolist(), starts.tolist(), columns.tolist()
        for head in range(3):
            for b in range(blocks):
                begin, masked, full, column, count = table[head * blocks + b][:5]
                end = first + (b + 1) * 64
                expected = vertical_slash_reference(verticals[head], slashes[head], end, end - 64, length)
                total += 1
                wrong += (starts[begin:begin + masked + full], masked, columns[column:column + count]) != expected
    print(f"vertical_slash_lists: {total} row blocks, {wrong} wrong", flush=True)
    return total, wrong


def compile_all():
    """Fills the cache with all cores."""
    todo = [dict(o, HALF=half) for o in CONFIGS.values() for half in (0, 1)]
    with multiprocessing.get_context("spawn").Pool(16) as pool:
        for options, log in zip(todo, pool.imap(compile_log, todo)):
            lines = [line.split("info    :")[-1].strip() for line in log.splitlines() if any(w in line for w in ("Used", "spill", "C75", "error"))]
            print(options, "; ".join(lines)[:400], flush=True)


def compile_log(options):
    try:
        return compile_kernel(options)[1]
    except RuntimeError as e:
        return f"error {str(e)[:1500]}"


def smoke(names):
    for name in names:
        options = CONFIGS[name]
        kernel = Kernel(options)
        for m, offset, kind, window in ((500, 0, "dense", 0), (500, 0, "blocks", 0), (500, 40, "dense", 50)):
            # Two thread blocks, so that each takes several items and its ring goes round.
            error, bound, _, good = run_case(kernel, 1, 2, 1, m - offset, m, options["HEAD_DIM"], offset, kind, torch.bfloat16, 1, window=window, most_blocks=2)
            print(name, m, kind, "right" if good else f"WRONG: error {error:.2e} bound {bound:.2e}", flush=True)
    check_vertical_slash()


if __name__ == "__main__":
    if sys.argv[1:2] == ["smoke"]:
        smoke(sys.argv[2:] or CONFIGS)
    else:
        compile_all()
        sys.exit(0 if check() else 1)
