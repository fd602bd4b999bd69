"""Times decode attention (decode.cu) and Quest's steps (quest.cu and decode.cu) on one Hopper GPU, beside PyTorch's SDPA: 32 query and 8 KV heads of 128 elements, bfloat16.

    python3 decode_time.py [PART...]     parts: check, dense, quest, profile, sanitize; check, dense and quest without arguments

The kernels are the engine's own sources with its constants. `check` compares with float32 and wants the same bits of repeats and of single sequences. Times are of recorded launches
over so many caches in turn that what one reads has left the L2 cache when it comes again; all kernels of a case in turn, medians and quartiles. `profile` launches each kernel a
few times and nothing else, for ncu; `sanitize` runs all of them, and those of step_pages.cu, on small shapes, for compute-sanitizer. Results go to cuda-decode.json and cuda-decode.md in $OUT, or here."""
import ctypes
import datetime
import json
import os
import sys

import torch
import torch.nn.functional as F

import hopper

HEADS, KV_HEADS, DIM, PAGE, BUDGET = 32, 8, 128, 16, 2048
ROUNDS = 21

# As the sources and the C# that launches them have them.
MOST_PIECES, FEWEST_TOKENS, MOST_STAGES = 32, 128, 6
SHARED_BYTES = 227 << 10
QUEST_THREADS, QUEST_PAGES_OF_THREAD, QUEST_KEYS = 512, 16, 8192 + 2048

RESULTS, LINES = [], []


def say(line):
    LINES.append(line)
    print(line, flush=True)


def argument(value):
    if value is None or torch.is_tensor(value):
        return ctypes.c_uint64(0 if value is None else value.data_ptr())
    return ctypes.c_int32(value) if isinstance(value, int) else ctypes.c_float(value) if isinstance(value, float) else value


class LaunchAttribute(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int32), ("padding", ctypes.c_int32), ("value", ctypes.c_int32), ("rest", ctypes.c_byte * 60)]


class LaunchConfiguration(ctypes.Structure):
    _fields_ = [(n, ctypes.c_uint32) for n in ("grid_x", "grid_y", "grid_z", "block_x", "block_y", "block_z", "shared")] + [
        ("stream", ctypes.c_void_p), ("attributes", ctypes.POINTER(LaunchAttribute)), ("count", ctypes.c_uint32)]


class Function:
    def __init__(self, file, name, **options):
        cubin, self.log = hopper.compile_kernel(options, file)
        self.function, self.shared = hopper.load(cubin, name.encode()), 48 << 10

    def prepare(self, grid, threads, shared, *arguments, early=False):
        """Arguments: tensors and None (addresses), int (32 bits), float, or what ctypes has. early: may begin while the kernel before it still runs."""
        if shared > self.shared:
            hopper.check(hopper.driver().cuFuncSetAttribute(self.function, 8, shared), "cuFuncSetAttribute")
            self.shared = shared
        values = [argument(a) for a in arguments]
        parameters = (ctypes.c_void_p * len(values))(*(ctypes.addressof(v) for v in values))
        attribute = LaunchAttribute(6, 0, 1)  # programmatic stream serialization
        configuration = LaunchConfiguration(*grid, threads, 1, 1, shared, None, ctypes.pointer(attribute), 1 if early else 0)
        keep, launch_kernel = (values, arguments, attribute), hopper.driver().cuLaunchKernelEx

        def launch():
            keep
            configuration.stream = torch.cuda.current_stream().cuda_stream
            hopper.check(launch_kernel(ctypes.byref(configuration), self.function, parameters, None), "cuLaunchKernelEx")

        return launch


class Caches:
    """Keys and values [sequences x KV heads, capacity, dimension] of sequences with so many tokens, of which those from `splits` on lie in a tail of their own."""

    def __init__(self, lengths, kv_heads=KV_HEADS, dim=DIM, group=HEADS // KV_HEADS, page=0, splits=None, budget=BUDGET // PAGE, dtype=torch.bfloat16):
        self.lengths, self.kv_heads, self.dim, self.group, self.page, self.budget = lengths, kv_heads, dim, group, page, budget
        heads, capacity = len(lengths) * kv_heads, max(max(lengths), 1)
        self.keys, self.values = (torch.empty(heads, capacity, dim, device="cuda", dtype=dtype).normal_() for _ in range(2))
        self.queries = torch.empty(heads * group, dim, device="cuda", dtype=dtype).normal_()
        self.splits = splits
        self.head_lengths = [n for n in lengths for _ in range(kv_heads)]
        self.tokens = torch.tensor(self.head_lengths, dtype=torch.int32, device="cuda")
        self.key_bases, self.value_bases = self.bases(self.keys), self.bases(self.values)
        self.tails = (None, None, None)
        if splits is not None:
            # What lies before the split in the tail, and after it in the prompt, must not be read.
            tail_keys, tail_values = self.keys.clone(), self.values.clone()
            for h, length in enumerate(self.head_lengths):
                tail_keys[h, :splits] = tail_values[h, :splits] = float("nan")
            self.prompt_keys, self.prompt_values = self.keys.clone(), self.values.clone()
            self.prompt_keys[:, splits:], self.prompt_values[:, splits:] = float("nan"), float("nan")
            self.key_bases, self.value_bases = self.bases(self.prompt_keys), self.bases(self.prompt_values)
            self.tail_memory = tail_keys, tail_values
            self.tails = self.bases(tail_keys), self.bases(tail_values), torch.full((heads,), splits, dtype=torch.int32, device="cuda")
        if page:
            pages = (capacity + page - 1) // page
            whole = F.pad(self.keys.float() if capacity % page else self.keys, (0, 0, 0, pages * page - capacity), value=0.0).to(dtype).view(heads, pages, page, dim)
            self.bounds = torch.stack([whole.amin(2), whole.amax(2)], 2).contiguous()
            table = []
            for h, length in enumerate(self.head_lengths):
                table += [self.key_bases[h].item(), (self.tails[0] if splits is not None else self.key_bases)[h].item(), self.bounds[h].data_ptr(), self.bounds[h].data_ptr()]
                table += [(length if splits is None else splits) | (length - 1) // page << 32, length | budget << 32]
            self.paged_heads = torch.tensor(table, dtype=torch.int64, device="cuda")

    @staticmethod
    def bases(memory):
        return torch.tensor([memory[h].data_ptr() for h in range(memory.shape[0])], dtype=torch.int64, device="cuda")


def round_up(x, to):
    return (x + to - 1) // to * to


ARRIVALS = {}
FUNCTIONS = {}


def function(file, name, **options):
    key = (file, name, tuple(options.items()))
    if key not in FUNCTIONS:
        FUNCTIONS[key] = Function(file, name, **options)
    return FUNCTIONS[key]


def arrivals(number):
    """Kernels that run at the same time count in different sets."""
    if number not in ARRIVALS:
        ARRIVALS[number] = torch.zeros(1 << 16, dtype=torch.int32, device="cuda")
    return ARRIVALS[number]


def decode(caches, lists=None, output=None, log_sums=None):
    """As CudaAttention.Decode. lists: (count, longest, page, tokens, offsets, pages, ready); returns (launch, output)."""
    count, longest, page, tokens, offsets, pages, ready = lists or (len(caches.head_lengths), max(caches.head_lengths), 0, caches.tokens, None, None, None)
    queries = caches.queries.shape[0]
    head, of_list, pieces = round_up(caches.dim, 64), queries // count, max(1, min(MOST_PIECES, (longest + FEWEST_TOKENS - 1) // FEWEST_TOKENS))
    halves = 1 if of_list <= 8 else 2
    resident = 2 if head <= 128 else 1
    stages = max(1, min(MOST_STAGES, SHARED_BYTES // resident // (256 * head)))
    kernel = function("decode.cu", "decode", TYPE=int(caches.keys.dtype == torch.float16), HEAD=head, PAGE=page, HALVES=halves, STAGES=stages, RESIDENT=resident)
    output = torch.full_like(caches.queries, float("nan")) if output is None else output
    partials = torch.empty(queries * pieces * head, dtype=torch.float32, device="cuda")
    statistics = torch.empty(queries * pieces * 2, dtype=torch.float32, device="cuda")
    launch = kernel.prepare(
        (pieces, count, (of_list + 15) // 16), 128, max(stages * 256 * head, 4 * 8 * halves * (head + 2) * 4), caches.queries, caches.key_bases, caches.value_bases, *caches.tails, tokens, offsets, pages, ready, partials,
        statistics, arrivals(0), output, log_sums, pieces, of_list, caches.group, caches.dim, caches.dim, caches.dim ** -0.5 * 1.4426950408889634, None, early=ready is not None)
    return launch, output


def quest(caches, shared=True):
    """As CudaStepPages.Choose and CudaAttention.Decode. Returns (choose, attend, output, pages, tokens)."""
    heads, page = len(caches.head_lengths), caches.page
    of_head = 1 if shared else caches.group
    lists, most = heads * of_head, (max(caches.head_lengths) + page - 1) // page
    width = min(caches.budget, most) + 1
    lanes = 8 if caches.dim <= 64 else 16 if caches.dim <= 128 else 32
    of_block = QUEST_THREADS // lanes * QUEST_PAGES_OF_THREAD
    kernel = function("quest.cu", "questPages", TYPE=int(caches.keys.dtype == torch.float16), LANES=lanes)
    scores = torch.empty(lists, most, dtype=torch.float32, device="cuda")
    pages, tokens = torch.full((lists, width), -7, dtype=torch.int32, device="cuda"), torch.empty(lists, dtype=torch.int32, device="cuda")
    offsets, ready = torch.empty(lists, dtype=torch.int64, device="cuda"), torch.zeros(lists, dtype=torch.int32, device="cuda")
    choose = kernel.prepare(
        ((most + of_block - 1) // of_block, heads, 1), QUEST_THREADS, max(of_head * lanes * 16, QUEST_KEYS) * 4, caches.queries, caches.paged_heads, scores, pages, tokens, offsets, ready, arrivals(1), page,
        caches.group, of_head, caches.dim, most, width, 1, None)
    attend, output = decode(caches, (lists, width * page, page, tokens, offsets, pages, ready))
    return choose, attend, output, pages, tokens


def attention(caches, head, kept=None):
    """float32 reference for the queries of one KV head; kept: tokens of each query, or None."""
    n = caches.head_lengths[head]
    q, k, v = (t.float() for t in (caches.queries[head * caches.group:(head + 1) * caches.group], caches.keys[head, :n], caches.values[head, :n]))
    s = q @ k.T * caches.dim ** -0.5
    if kept is not None:
        mask = torch.full_like(s, float("-inf"))
        for i, tokens in enumerate(kept):
            mask[i, tokens] = 0
        s = s + mask
    return torch.softmax(s, -1) @ v, torch.logsumexp(s, -1)


def error(a, b):
    return ((a.float() - b).norm() / b.norm()).item()


def check_dense():
    worst, logs, cases = 0, 0, 0
    lengths = [1, 15, 16, 17, 100, 127, 128, 129, 1000, 2064, 4096, 8192, 8193, 20001]
    for dim in (64, 80, 128, 192, 256):
        for group in (1, 4, 7, 8, 9, 16, 20):
            for splits in (None, 100):
                caches = Caches(lengths, kv_heads=2, dim=dim, group=group, splits=splits)
                log_sums = torch.empty(caches.queries.shape[0], device="cuda")
                launch, output = decode(caches, log_sums=log_sums)
                launch()
                first = output.clone()
                for head in range(len(caches.head_lengths)):
                    want, want_log = attention(caches, head)
                    own = slice(head * group, (head + 1) * group)
                    worst = max(worst, error(output[own], want))
                    logs = max(logs, (log_sums[own] - want_log).abs().max().item())
                    cases += 1
                for _ in range(3):
                    output.fill_(float("nan"))
                    launch()
                    assert torch.equal(output, first), ("repeat", dim, group)

                # A sequence alone, and one with other companions, have the same bits.
                for i in (0, 7, 13) if splits is None else ():
                    alone = Caches([lengths[i]], kv_heads=2, dim=dim, group=group)
                    own = slice(i * 2, i * 2 + 2)
                    alone.keys.copy_(caches.keys[own, :lengths[i]])
                    alone.values.copy_(caches.values[own, :lengths[i]])
                    alone.queries.copy_(caches.queries[i * 2 * group:(i + 1) * 2 * group])
                    launch, output = decode(alone)
                    launch()
                    assert torch.equal(output, first[i * 2 * group:(i + 1) * 2 * group]), ("alone", dim, group, lengths[i])
    say(f"decode.cu: {cases} heads against float32, relative error at most {worst:.2e}, of log-sum-exps {logs:.1e}; repeats and single sequences in the same bits")
    assert worst < 6e-3 and logs < 1e-2


def check_quest():
    worst, lists_checked, different = 0, 0, 0
    for dim, group, page, budget, splits, shared, lengths in (
        (128, 4, 16, 128, None, True, [1, 16, 2048, 2064, 2065, 2100, 8192, 40001, 131072]), (128, 4, 16, 128, None, False, [33, 5000, 20011]), (64, 7, 16, 20, 900, True, [1000, 7777]),
        (256, 2, 16, 9, None, True, [3000, 145]), (128, 16, 32, 7, None, False, [225, 9999]), (80, 4, 8, 50, None, True, [5001, 64]), (128, 4, 1, 300, None, True, [5000, 20001]), (128, 4, 16, 0, None, True, [100])):
        caches = Caches(lengths, kv_heads=2, dim=dim, group=group, page=page, splits=splits, budget=budget)
        choose, attend, output, pages, tokens = quest(caches, shared)

        # The bounds of the current page are nobody's yet, and are written where the last token completes it.
        whole = caches.bounds.clone()
        for head, n in enumerate(caches.head_lengths):
            caches.bounds[head, (n - 1) // page:] = float("nan")
        choose()
        for head, n in enumerate(caches.head_lengths):
            assert n % page != 0 or torch.equal(caches.bounds[head, n // page - 1], whole[head, n // page - 1]), (n, "bounds")
        attend()
        first, first_pages = output.clone(), pages.clone()
        of_head = 1 if shared else group
        for head, n in enumerate(caches.head_lengths):
            current = (n - 1) // page
            q = caches.queries[head * group:(head + 1) * group].double()
            low, high = caches.bounds[head, :current, 0].double(), caches.bounds[head, :current, 1].double()
            scores = (q.clamp(min=0) @ high.T + q.clamp(max=0) @ low.T).view(of_head, group // of_head, current).sum(1)
            kept = []
            for v in range(of_head):
                count = min(current, budget)
                own = pages[head * of_head + v].tolist()[:count + 1]
                assert own[-1] == current and own == sorted(set(own)), (n, own[:20])
                assert tokens[head * of_head + v].item() == count * page + n - current * page
                if count:
                    want = scores[v].topk(count).values[-1].item()
                    assert scores[v][own[:-1]].min().item() >= want - 1e-5 * abs(want), (n, "not the largest")
                    different += len(set(own[:-1]) - set(scores[v].topk(count).indices.tolist()))
                row = torch.tensor([t for p in own for t in range(p * page, min(n, (p + 1) * page))], device="cuda")
                kept += [row] * (group // of_head)
                lists_checked += 1
            worst = max(worst, error(output[head * group:(head + 1) * group], attention(caches, head, kept)[0]))
        for _ in range(3):
            output.fill_(float("nan"))
            pages.fill_(-7)
            choose()
            attend()
            assert torch.equal(output, first) and torch.equal(pages, first_pages), "repeat"
    # Ties: keys that are all the same, and scores of few values with both signs and zeros.
    for n, budget in ((40000, 100), (3000, 150), (131072, 128)):
        caches = Caches([n], kv_heads=1, page=16, budget=budget)
        current = (n - 1) // 16
        normal = torch.randn(current, device="cuda")
        for scores in (torch.ones(current, device="cuda"), torch.randint(-3, 4, (current,), device="cuda").float(), normal, normal * 1e3 ** torch.randn(current, device="cuda")):
            caches.bounds.zero_()
            caches.bounds[0, :current, :, 0] = scores.to(torch.bfloat16)[:, None]
            caches.queries.zero_()
            caches.queries[:, 0] = 0.25
            choose, attend, output, pages, _ = quest(caches)
            choose()
            s = scores.to(torch.bfloat16).float()
            order = torch.sort(-s, stable=True).indices[:budget].sort().values.tolist()
            assert pages[0].tolist() == order + [current], (n, budget)
    torch.cuda.synchronize()
    assert all(int(a.abs().sum()) == 0 for a in ARRIVALS.values())
    say(f"quest.cu: {lists_checked} lists have the pages with the largest bounds (double precision; {different} near-ties fell otherwise), ties go to the lower page; attention over them: relative error at most {worst:.2e}; repeats in the same bits")
    assert worst < 6e-3


def select_threads(columns, rows):
    """As CudaSelection.Threads."""
    scores = 32 if rows > 1024 else 8
    return 1024 if columns > 8192 else min(256, max(32, 1 << ((columns + scores - 1) // scores - 1).bit_length()))


def control(caches, choice, shared=True):
    """The launches of the controls' choices, as CudaStepPages.Choose gives them: attention, latest or drawn. Returns (launches, scores, pages, tokens)."""
    heads, page, group = len(caches.head_lengths), caches.page, caches.group
    of_head = 1 if shared else group
    lists, most = heads * of_head, (max(caches.head_lengths) + page - 1) // page
    width, stride = min(caches.budget, most) + 1, most * page
    candidates, wanted, tokens = (torch.zeros(lists, dtype=torch.int32, device="cuda") for _ in range(3))
    offsets, pages = torch.zeros(lists, dtype=torch.int64, device="cuda"), torch.zeros(lists, width, dtype=torch.int32, device="cuda")
    scores, products = torch.zeros(lists, most, device="cuda"), torch.zeros(heads * group, stride, device="cuda")
    states = torch.randint(1, 1 << 62, (lists, 4), dtype=torch.int64, device="cuda")
    step = lambda name: function("step_pages.cu", name, TYPE=0)
    launches = [step("pageCounts").prepare(((lists + 127) // 128, 1, 1), 128, 0, caches.paged_heads, lists, of_head, page, width, candidates, wanted, tokens, offsets, None)]
    if choice == "attention":
        launches += [
            step("tokenProducts").prepare(((stride + 7) // 8, heads, 1), 128, group * caches.dim * 4, caches.queries, caches.paged_heads, products, page, group, caches.dim, stride),
            step("pageAttention").prepare((lists, 1, 1), 512, group * 12, caches.paged_heads, products, scores, page, group, of_head, stride, most, caches.dim ** -0.5)]
    elif choice == "latest":
        launches += [step("latestPages").prepare(((most + 127) // 128, lists, 1), 128, 0, caches.paged_heads, scores, of_head, page, most)]
    else:
        launches += [step("drawnPages").prepare(((lists + 31) // 32, 1, 1), 32, 0, caches.paged_heads, states, scores, lists, of_head, lists, lists, page, most)]
    threads = select_threads(most, lists)
    launches += [
        function("select.cu", "selectLargest", TYPE=0, THREADS=threads).prepare((lists, 1, 1), threads, 0, scores, ctypes.c_int64(most), candidates, 0, 0, most, wanted, pages, width, None, 0, 0),
        step("finishPages").prepare((lists, 1, 1), 128, 0, caches.paged_heads, of_head, page, pages, width, None)]
    return launches, scores, pages, tokens


def check_controls(lengths=(30, 160, 1000, 3333)):
    worst = 0
    for group, shared in ((4, True), (4, False)):
        caches = Caches(list(lengths), kv_heads=2, dim=128, group=group, page=16, budget=5, splits=20)
        for choice in ("attention", "latest", "drawn"):
            launches, scores, pages, _ = control(caches, choice, shared)
            for launch in launches:
                launch()
            of_head = 1 if shared else group
            for head, n in enumerate(caches.head_lengths):
                current = (n - 1) // 16
                if current <= caches.budget:
                    assert pages[head * of_head].tolist()[:current + 1] == list(range(current + 1))
                    continue
                if choice == "attention":
                    q = caches.queries[head * group:(head + 1) * group].double()
                    mass = torch.softmax(q @ caches.keys[head, :n].double().T * 128 ** -0.5, -1)[:, :current * 16].view(of_head, -1, current, 16).sum((1, 3))
                    worst = max(worst, error(scores[head * of_head:(head + 1) * of_head, :current], mass.float()))
                for v in range(of_head):
                    own = scores[head * of_head + v, :current]
                    assert pages[head * of_head + v].tolist()[:6] == torch.sort(-own, stable=True).indices[:5].sort().values.tolist() + [current], (choice, n)
    say(f"step_pages.cu: the controls' choices from their scores; masses of pages by exact attention with a relative error of at most {worst:.1e}")
    assert worst < 1e-5


def sanitize():
    """Every kernel on small shapes, for compute-sanitizer."""
    caches = Caches([300, 129, 20], kv_heads=1, page=16, budget=4)
    for shared in (True, False):
        choose, attend, *_ = quest(caches, shared)
        choose()
        attend()
        for choice in ("attention", "latest", "drawn"):
            for launch in control(caches, choice, shared)[0]:
                launch()
    decode(caches)[0]()
    torch.cuda.synchronize()
    print("all kernels ran")


def recorded(launches):
    """One replay of all launches."""
    for launch in launches:
        launch()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for launch in launches:
            launch()
    return graph.replay


def times(candidates, sets):
    """Median and quartiles of each candidate's microseconds a step, all in turn."""
    usable = {}
    for name, launches in candidates.items():
        try:
            usable[name] = recorded(launches)
        except Exception as e:
            torch.cuda.synchronize()
            say(f"  {name}: {type(e).__name__} {str(e)[:120]}")
    pairs = {name: [] for name in usable}
    for replay in usable.values():
        replay()
    torch.cuda.synchronize()
    for _ in range(ROUNDS):
        for name, replay in usable.items():
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            replay()
            end.record()
            pairs[name].append((start, end))
    torch.cuda.synchronize()
    result = {}
    for name, events in pairs.items():
        t = sorted(s.elapsed_time(e) * 1e3 / sets for s, e in events)
        result[name] = (t[len(t) // 2], t[len(t) // 4], t[3 * len(t) // 4])
    return result


def sdpa(backend, caches, packed):
    from torch.nn.attention import sdpa_kernel
    b = len(caches.lengths)
    k, v = (t.view(b, caches.kv_heads, -1, caches.dim) for t in (caches.keys, caches.values))
    q = caches.queries.view(b, caches.kv_heads, caches.group, caches.dim) if packed else caches.queries.view(b, -1, 1, caches.dim)

    def run():
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v, enable_gqa=not packed)
    return run


def report(case, measured, bytes_of, base):
    say(f"{case}")
    for name, (median, low, high) in measured.items():
        rate = bytes_of[name] / median / 1e6 if name in bytes_of else None
        RESULTS.append(dict(case=case, kernel=name, microseconds=median, quartile1=low, quartile3=high, terabytes_per_second=rate, over_dense=base and base / median))
        say(f"  {name:44s} {median:8.1f} us [{low:.1f} {high:.1f}]" + (f" {rate:5.2f} TB/s" if rate else "") + (f" {base / median:5.2f}x of our dense" if base else ""))


def time_dense(peers=True):
    from torch.nn.attention import SDPBackend
    for length, batch, sets in ((131072, 8, 2), (131072, 1, 8), (32768, 8, 3), (32768, 1, 16)):
        caches = [Caches([length] * batch) for _ in range(sets)]
        candidates = {"ours": [decode(c)[0] for c in caches]}
        if peers:
            for name, backend in (("cuDNN", SDPBackend.CUDNN_ATTENTION), ("FlashAttention-2", SDPBackend.FLASH_ATTENTION)):
                for packed in (False, True):
                    candidates[f"SDPA {name}, {'group as rows' if packed else 'enable_gqa'}"] = [sdpa(backend, c, packed) for c in caches]
        measured = times(candidates, sets)
        size = 4 * DIM * KV_HEADS * length * batch
        report(f"dense, {length} tokens, batch {batch}", measured, dict.fromkeys(measured, size), None)
        best = min((t for n, t in measured.items() if n != "ours"), default=None)
        if best:
            say(f"  ours takes {measured['ours'][0] / best[0]:.3f} of the fastest peer's time")
        del caches, candidates
        torch.cuda.empty_cache()


def time_quest(lengths=(131072, 32768)):
    for length in lengths:
        for batch, sets in ((8, 2), (1, 8)) if length > 32768 else ((8, 6), (1, 24)):
            caches = [Caches([length] * batch, page=PAGE) for _ in range(sets)]
            steps = [quest(c) for c in caches]
            candidates = {
                "dense": [decode(c)[0] for c in caches], "Quest": [lambda s=s: (s[0](), s[1]()) for s in steps], "Quest, choice alone": [s[0] for s in steps],
                "Quest, attention alone": [s[1] for s in steps]}
            if length > 32768:
                own = [quest(c, shared=False) for c in caches]
                candidates["Quest, pages by query head"] = [lambda s=s: (s[0](), s[1]()) for s in own]
            measured = times(candidates, sets)
            row = 4 * DIM * KV_HEADS * batch
            kept = BUDGET + (length - 1) % PAGE + 1
            bytes_of = {
                "dense": row * length, "Quest": row * (length // PAGE + kept), "Quest, choice alone": row * (length // PAGE), "Quest, attention alone": row * kept,
                "Quest, pages by query head": row * (length // PAGE + kept * HEADS // KV_HEADS)}
            report(f"Quest, {BUDGET} of {length} tokens, batch {batch}: bytes allow {length / (length / PAGE + kept):.1f}x", measured, bytes_of, measured["dense"][0])
            del caches, steps, candidates
            torch.cuda.empty_cache()


def profile():
    caches = Caches([131072] * 8, page=PAGE)
    dense, steps = decode(caches)[0], quest(caches)
    for _ in range(2):
        dense()
        steps[0]()
        steps[1]()
    torch.cuda.synchronize()


if __name__ == "__main__":
    torch.manual_seed(5)
    parts = sys.argv[1:] or ["check", "dense", "quest"]
    if "profile" in parts or "sanitize" in parts:
        profile() if "profile" in parts else sanitize()
        sys.exit(0)
    big = torch.empty(3 << 29, dtype=torch.float32, device="cuda").normal_()
    copy = times({"copy": [lambda: big[:1 << 28].copy_(big[1 << 28:1 << 29])], "read": [lambda: big[1 << 29:].sum()]}, 1)
    import subprocess
    card = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version,clocks.max.sm", "--format=csv,noheader"], capture_output=True, text=True).stdout.strip().split("\n")[0]
    say(f"{card}, PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}; copy {2 * (1 << 30) / copy['copy'][0] / 1e6:.2f} TB/s, a sum {(1 << 32) / copy['read'][0] / 1e6:.2f} TB/s")
    del big
    if "check" in parts:
        check_dense()
        check_quest()
        check_controls()
    if "dense" in parts:
        time_dense()
    if "quest" in parts:
        time_quest()
    for key, f in FUNCTIONS.items():
        print(key[0], dict(key[2]), [line for line in f.log.split("\n") if "registers" in line or "spill" in line][-2:])
    folder = os.environ.get("OUT", ".")
    with open(os.path.join(folder, "cuda-decode.json"), "w") as file:
        json.dump(dict(date=datetime.date.today().isoformat(), card=card, torch=torch.__version__, results=RESULTS), file, indent=1)
    with open(os.path.join(folder, "cuda-decode.md"), "w") as file:
        file.write("# Decode attention and Quest's steps on one GPU\n\nMade by `cuda/decode_time.py`.\n\n```\n" + "\n".join(LINES) + "\n```\n")
