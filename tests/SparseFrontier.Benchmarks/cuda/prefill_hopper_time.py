"""Times prefill_hopper.cu beside its peers, interleaved, on one Hopper GPU: milliseconds and TFLOP/s on the tiles that the selection requires.

    python3 prefill_hopper_time.py [PART...]     parts: ladder, dense, vertical-slash, block-64, block-128, longest; all without arguments

Peers: PyTorch's SDPA (FlashAttention-2 and cuDNN back ends), FlexAttention with block masks, and, where BENCH_REF names a folder with the
paper code's Triton files block.py and vertical_and_slash.py, MInference's two kernels. Every query head has its own random list. Results
go to prefill_hopper.json and prefill_hopper.md in $OUT, or here."""
import datetime
import importlib.metadata
import json
import os
import subprocess
import sys
import types

import torch
import torch.nn.functional as F

from hopper import CONFIGS, Kernel, VerticalSlashLists, lists_of_mask


def interleaved(candidates, rounds, flush=None):
    """Median and quartiles in ms of each candidate, one launch of each a round."""
    times = {name: [] for name in candidates}
    for name, f in candidates.items():
        f()
    torch.cuda.synchronize()
    for _ in range(rounds):
        for name, f in candidates.items():
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            f()
            end.record()
            times[name].append((start, end))
    torch.cuda.synchronize()
    result = {}
    for name, pairs in times.items():
        t = sorted(s.elapsed_time(e) for s, e in pairs)
        result[name] = (t[len(t) // 2], t[len(t) // 4], t[(3 * len(t)) // 4])
    return result


HEADS, KV_HEADS = 32, 8
RESULTS = []


def report(case, length, work, candidates, note="", other_work=None):
    """Times candidates on one input; work: operations that the selection requires, other_work: of single candidates."""
    rounds = {16384: 15, 32768: 11, 65536: 7}.get(length, 5)
    usable = {}
    for name, f in candidates.items():
        try:
            f()
            torch.cuda.synchronize()
            usable[name] = f
        except Exception as e:
            print(f"{case} {length} {name}: {type(e).__name__} {str(e)[:200]}", flush=True)
    for name, (median, low, high) in interleaved(usable, rounds).items():
        rate = (other_work or {}).get(name, work) / median / 1e9
        RESULTS.append(dict(case=case, length=length, kernel=name, ms=median, quartile1=low, quartile3=high, tflops=rate, rounds=rounds, note=note))
        print(f"{case:16s} {length:7d} {name:22s} {median:9.3f} ms [{low:.3f} {high:.3f}] {rate:4.0f} TFLOP/s {note}", flush=True)


def inputs(length, d, dtype=torch.bfloat16):
    q = torch.randn(1, HEADS, length, d, device="cuda", dtype=dtype)
    k = torch.randn(1, KV_HEADS, length, d, device="cuda", dtype=dtype)
    return q, k, torch.randn_like(k), torch.empty_like(q)


def attend(backend, q, k, v):
    from torch.nn.attention import sdpa_kernel

    def run():
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    return run


def agree(name, ours, peer, out):
    """The largest difference between our output and a peer's."""
    ours()
    difference = (out.float() - peer().float()).abs().max().item()
    RESULTS.append(dict(case=name, difference=difference))
    print(f"{name}: largest difference from the peer's output {difference:.4f}", flush=True)


def time_dense(kernels):
    from torch.nn.attention import SDPBackend
    for d, lengths in ((128, (16384, 32768, 131072)), (64, (16384,)), (256, (16384,))):
        for length in lengths:
            q, k, v, out = inputs(length, d)
            ours = kernels["d64-dense" if d == 64 else f"d{d}-128"].prepare(q, k, v, out)
            peers = {"cuDNN": attend(SDPBackend.CUDNN_ATTENTION, q, k, v), "FlashAttention-2": attend(SDPBackend.FLASH_ATTENTION, q, k, v)}
            report(f"dense d{d}", length, 2.0 * length * length * d * HEADS, {"ours": ours, **peers})
            if length == 16384:
                agree(f"dense d{d}", ours, peers["cuDNN"], out)
            del q, k, v, out, ours, peers


def not_after(batch, head, row, key):
    return row >= key


def time_block_128(kernels):
    from torch.nn.attention.flex_attention import BlockMask, flex_attention
    flex = torch.compile(flex_attention, dynamic=False)
    for length in (16384, 32768, 65536, 131072):
        q, k, v, out = inputs(length, 128)
        n = length // 128
        eye = torch.eye(n, dtype=torch.bool, device="cuda")
        for sparsity in (0.5, 0.8, 0.9, 0.95):
            mask = (torch.rand(HEADS, n, n, device="cuda") > sparsity).tril(-1) | eye
            mask[:, :, 0] = True
            lists = lists_of_mask(mask, 128)
            tiles = int(mask.sum())
            kernel = kernels["d128-128"]
            candidates = {"ours": kernel.prepare(q, k, v, out, lists=lists)}
            if length <= 65536:
                def order(x):
                    return x.sum(-1).to(torch.int32)[None], torch.argsort(x.to(torch.int8), dim=-1, descending=True, stable=True).to(torch.int32)[None]
                (partial_count, partial), (full_count, full) = order(mask & eye), order(mask & ~eye)
                blocks = BlockMask.from_kv_blocks(partial_count, partial, full_count, full, BLOCK_SIZE=128, mask_mod=not_after, seq_lengths=(length, length))
                candidates["FlexAttention"] = lambda blocks=blocks: flex(q, k, v, block_mask=blocks, enable_gqa=True)
            kernel.counters.zero_()
            candidates["ours"]()
            assert kernel.counters[:2].sum().item() == tiles, "the kernel ran other tiles than the list has"
            share = 1 - tiles / (HEADS * n * (n + 1) / 2)
            report("block 128", length, 4.0 * tiles * 128 * 128 * 128, candidates, f"sparsity {share:.3f}, {tiles / HEADS / n:.1f} tiles a row")
            if length == 16384 and sparsity == 0.9:
                agree("block 128", candidates["ours"], candidates["FlexAttention"], out)
            del mask, lists, candidates


def time_block_64(kernels, peer):
    for length in (16384, 32768, 65536, 131072):
        q, k, v, out = inputs(length, 128)
        expanded = [x.repeat_interleave(HEADS // KV_HEADS, 1) for x in (k, v)]
        n = length // 64
        rows = torch.arange(n, device="cuda")
        for sparsity in (0.9, 0.95):
            # The same number of random blocks in every row, its diagonal block among them; short rows take all they have.
            top = max(3, int(n * (1 - sparsity ** 0.5)))
            index = torch.empty(HEADS, n, top, dtype=torch.int32, device="cuda")
            mask = torch.zeros(HEADS, n, n, dtype=torch.bool, device="cuda")
            for head in range(HEADS):
                score = torch.rand(n, n, device="cuda")
                score[rows, rows] = 2
                score.masked_fill_(rows[None] > rows[:, None], -1)
                best = score.topk(top, -1)
                chosen = torch.where(best.values < 0, n - 1, best.indices)
                index[head] = chosen.sort(-1).values
                mask[head].scatter_(1, chosen, True)
            mask &= (rows[None] <= rows[:, None])
            lists = lists_of_mask(mask, 64)
            tiles = int(mask.sum())
            kernel = kernels["d128-64"]
            candidates = {"ours": kernel.prepare(q, k, v, out, lists=lists)}
            if peer is not None:
                lengths = torch.tensor([length], dtype=torch.int32, device="cuda")
                candidates["MInference Triton"] = lambda index=index[None]: peer(q, *expanded, lengths, index, 128 ** -0.5, 64, 64)
            kernel.counters.zero_()
            candidates["ours"]()
            assert kernel.counters[:2].sum().item() == tiles, "the kernel ran other tiles than the list has"
            share = 1 - tiles / (HEADS * n * (n + 1) / 2)
            report("block 64", length, 4.0 * tiles * 64 * 64 * 128, candidates, f"sparsity {share:.3f}, {tiles / HEADS / n:.1f} tiles a row")
            if length == 16384 and peer is not None:
                agree("block 64", candidates["ours"], candidates["MInference Triton"], out)
            del mask, lists, index, candidates


def time_vertical_slash(kernels, peer):
    for length, count in ((32768, 512), (131072, 512)):
        q, k, v, out = inputs(length, 128)
        expanded = [x.repeat_interleave(HEADS // KV_HEADS, 1) for x in (k, v)]
        pick = lambda: torch.rand(HEADS, length, device="cuda").argsort(-1)[:, :count].to(torch.int32)
        verticals, slashes = pick(), pick()
        slashes[:, 0] = 0
        verticals, slashes = verticals.sort(-1).values.contiguous(), slashes.sort(-1).values.contiguous()
        n = length // 64
        build, lists = VerticalSlashLists().prepare(verticals, slashes, n, 0, length)
        build()
        table = lists[0].view(HEADS, n, 8)
        blocks, columns = (table[..., 1] + table[..., 2]).contiguous(), table[..., 4].contiguous()
        pairs = 64.0 * 64 * int(blocks.sum()) + 64.0 * int(columns.sum())
        kernel = kernels["d128-columns"]
        attention = kernel.prepare(q, k, v, out, lists=lists)
        candidates = {"ours": attention, "ours, lists built": lambda: (build(), attention()), "list building": build}
        if peer is not None:
            offsets = lists[1].view(HEADS, n, count).flip(-1).contiguous()[None]
            index = lists[2].view(1, HEADS, n, count)
            lengths = torch.tensor([length], dtype=torch.int32, device="cuda")
            candidates["MInference Triton"] = lambda: peer(q, *expanded, lengths, blocks[None], offsets, columns[None], index, 128 ** -0.5)
        share = 1 - pairs / (HEADS * length * (length + 1) / 2)
        report("vertical-slash", length, 4.0 * pairs * 128, candidates, f"{count}+{count}, sparsity {share:.3f}, {blocks.float().mean().item():.0f} blocks and {columns.float().mean().item():.0f} columns a row block", {"list building": 0})
        if peer is not None:
            agree(f"vertical-slash {length}", attention, candidates["MInference Triton"], out)
        del lists, candidates


# The steps that lead to the kernel, each with one change against the one before.
BARE = dict(OVERLAP=0, TURNS=0, QUERY_IN_REGISTERS=0)
LADDER = {
    "64 rows a thread block": ("d128-64", BARE),
    "128 rows share each tile": ("d128-128", dict(BARE, SLOTS=3, QUERY_STAGES=1)),
    "five tiles and the next queries ahead": ("d128-128", BARE),
    "softmax under the consumer's own products": ("d128-128", dict(BARE, OVERLAP=1)),
    "queries in registers": ("d128-128", dict(BARE, OVERLAP=1, QUERY_IN_REGISTERS=1)),
    "consumers take turns": ("d128-128", {}),
}
LADDER_64 = {
    "two consumers, no turns": ("d64-128", dict(TURNS=0)),
    "two consumers take turns": ("d64-128", {}),
    "three consumers, no turns": ("d64-dense", dict(TURNS=0)),
    "three consumers take turns": ("d64-dense", {}),
}


def time_ladder():
    from torch.nn.attention import SDPBackend
    build = lambda ladder: {name: Kernel(dict(CONFIGS[config], **changes)) for name, (config, changes) in ladder.items()}
    kernels = build(LADDER)
    for length in (4096, 16384):
        q, k, v, out = inputs(length, 128)
        candidates = {name: kernel.prepare(q, k, v, out) for name, kernel in kernels.items()}
        report("ladder, dense", length, 2.0 * length * length * 128 * HEADS, {**candidates, "cuDNN": attend(SDPBackend.CUDNN_ATTENTION, q, k, v)})
        n = length // 128
        for sparsity in (0.8, 0.9, 0.95):
            mask = (torch.rand(HEADS, n, n, device="cuda") > sparsity).tril(-1) | torch.eye(n, dtype=torch.bool, device="cuda")
            lists = lists_of_mask(mask, 128)
            candidates = {name: kernel.prepare(q, k, v, out, lists=lists) for name, kernel in kernels.items() if kernel.options["BLOCK"] == 128}
            report("ladder, blocks", length, 4.0 * int(mask.sum()) * 128 ** 3, candidates, f"{int(mask.sum()) / HEADS / n:.1f} tiles a row")
    q, k, v, out = inputs(16384, 64)
    candidates = {name: kernel.prepare(q, k, v, out) for name, kernel in build(LADDER_64).items()}
    report("ladder, dense d64", 16384, 2.0 * 16384 ** 2 * 64 * HEADS, {**candidates, "cuDNN": attend(SDPBackend.CUDNN_ATTENTION, q, k, v)})


def time_longest(kernels):
    """131,072 tokens, blocks and dense in turn: beyond 64 MB of keys and values a KV head does not fit the L2 cache."""
    length, n = 131072, 1024
    q, k, v, out = inputs(length, 128)
    kernel = kernels["d128-128"]
    for sparsity in (0.5, 0.8, 0.9):
        mask = (torch.rand(HEADS, n, n, device="cuda") > sparsity).tril(-1) | torch.eye(n, dtype=torch.bool, device="cuda")
        tiles = int(mask.sum())
        candidates = {"ours, blocks": kernel.prepare(q, k, v, out, lists=lists_of_mask(mask, 128)), "ours, dense": kernel.prepare(q, k, v, out)}
        report("block 128, dense", length, 4.0 * tiles * 128 ** 3, candidates, f"sparsity {1 - tiles / (HEADS * n * (n + 1) / 2):.3f}", {"ours, dense": 2.0 * length * length * 128 * HEADS})


def peers():
    folder = os.environ.get("BENCH_REF")
    if folder is None:
        return None, None
    sys.path.insert(0, folder)
    # The second file imports a compiled index builder that is not used here.
    name = "sparse_frontier.modelling.attention.minference.minference"
    for i in range(len(name.split("."))):
        sys.modules[".".join(name.split(".")[:i + 1])] = types.ModuleType("stub")
    sys.modules[name].convert_vertical_slash_indexes = None
    from block import _triton_block_sparse_attention
    from vertical_and_slash import _triton_mixed_sparse_attention
    return _triton_block_sparse_attention, _triton_mixed_sparse_attention


def write_results(folder):
    """prefill_hopper.json, one result a line, and the same as a table."""
    with open(os.path.join(folder, "prefill_hopper.json"), "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(r) for r in RESULTS) + "\n]\n")
    head = RESULTS[0]
    with open(os.path.join(folder, "prefill_hopper.md"), "w") as file:
        file.write(f"Made by `prefill_hopper_time.py` on one {head['device']}, driver {head['driver']}, PyTorch {head['torch']}, cuDNN {head['cudnn']}, Triton {head['triton']}, {head['date']}. ")
        file.write(f"{HEADS} query and {KV_HEADS} KV heads, causal, bf16; all kernels of a case in turn in one process; medians and quartiles of milliseconds; TFLOP/s on the tiles that the selection requires.\n\n")
        file.write("| case | length | selection | kernel | ms | quartiles | TFLOP/s |\n|---|---|---|---|---|---|---|\n")
        for r in RESULTS:
            if "ms" in r:
                file.write(f"| {r['case']} | {r['length']} | {r['note']} | {r['kernel']} | {r['ms']:.3f} | {r['quartile1']:.3f}-{r['quartile3']:.3f} | {'' if r['tflops'] == 0 else round(r['tflops'])} |\n")


def time_all():
    torch.manual_seed(0)
    kernels = {name: Kernel(options) for name, options in CONFIGS.items()}
    block_peer, mixed_peer = peers()
    properties = torch.cuda.get_device_properties(0)
    driver_version = subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], capture_output=True, text=True).stdout.strip()
    RESULTS.append(dict(
        device=properties.name, multiprocessors=properties.multi_processor_count, driver=driver_version, torch=torch.__version__, cudnn=torch.backends.cudnn.version(),
        triton=importlib.metadata.version("triton"), date=datetime.date.today().isoformat(), heads=HEADS, kv_heads=KV_HEADS, dtype="bfloat16"))
    print(RESULTS[0], flush=True)
    parts = {
        "ladder": time_ladder, "dense": lambda: time_dense(kernels), "vertical-slash": lambda: time_vertical_slash(kernels, mixed_peer),
        "block-64": lambda: time_block_64(kernels, block_peer), "block-128": lambda: time_block_128(kernels), "longest": lambda: time_longest(kernels)}
    for name in sys.argv[1:] or parts:
        parts[name]()
        torch.cuda.empty_cache()
        write_results(os.environ.get("OUT", "."))


if __name__ == "__main__":
    time_all()
