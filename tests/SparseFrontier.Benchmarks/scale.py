#!/usr/bin/env python3
"""GPU-hours of the paper's grid from the product's own plan and cost model and from measured rates (docs/scale.md).

    dotnet build -c Release && tests/SparseFrontier.Benchmarks/scale.py [PROGRAM] > tests/SparseFrontier.Benchmarks/results/scale.txt

Plans `run --preset paper --what-if` for Qwen2.5 7B to 72B over hollow checkpoints (configuration, and a weight file of the right size that holds nothing and takes
no space), and splits operations with `cost`. Nothing is downloaded, no model is loaded, no GPU is used. Rates are from results/cuda-model.txt, cuda-step.txt and
cuda-kernels.txt: one NVIDIA H100 80GB, but for the last (H200, each method against dense attention of its run).
"""
import json, math, os, re, struct, subprocess, sys, tempfile
from collections import defaultdict

root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
program = sys.argv[1] if len(sys.argv) > 1 else os.path.join(root, "artifacts/bin/SparseFrontier.Cli/release/sparsefrontier")
models = {  # layers, hidden, intermediate, query heads, KV heads: the published config.json
    "Qwen2.5-7B": (28, 3584, 18944, 28, 4),
    "Qwen2.5-14B": (48, 5120, 13824, 40, 8),
    "Qwen2.5-32B": (64, 5120, 27648, 40, 8),
    "Qwen2.5-72B": (80, 8192, 29568, 64, 8),
}
lengths = [16384, 32768, 65536, 128000]
vocabulary, head = 152064, 128


def hollow(folder, layers, hidden, intermediate, heads, kv):
    os.makedirs(folder)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump({
            "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": hidden, "intermediate_size": intermediate, "num_hidden_layers": layers,
            "num_attention_heads": heads, "num_key_value_heads": kv, "vocab_size": vocabulary, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
            "rope_theta": 1000000.0, "hidden_act": "silu", "tie_word_embeddings": False, "torch_dtype": "bfloat16", "eos_token_id": 151645,
            "sliding_window": 131072, "max_window_layers": layers, "use_sliding_window": False}, file)
    shapes = {"model.embed_tokens.weight": [vocabulary, hidden], "lm_head.weight": [vocabulary, hidden], "model.norm.weight": [hidden]}
    for i in range(layers):
        p = f"model.layers.{i}."
        for name, rows in (("q", heads * head), ("k", kv * head), ("v", kv * head)):
            shapes[f"{p}self_attn.{name}_proj.weight"] = [rows, hidden]
            shapes[f"{p}self_attn.{name}_proj.bias"] = [rows]
        shapes |= {f"{p}self_attn.o_proj.weight": [hidden, heads * head], f"{p}mlp.gate_proj.weight": [intermediate, hidden], f"{p}mlp.up_proj.weight": [intermediate, hidden],
                   f"{p}mlp.down_proj.weight": [hidden, intermediate], f"{p}input_layernorm.weight": [hidden], f"{p}post_attention_layernorm.weight": [hidden]}
    header, offset = {}, 0
    for name, shape in shapes.items():
        size = 2
        for n in shape:
            size *= n
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + offset)


def run(*arguments):
    done = subprocess.run([program, *arguments, "--json"], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(arguments[:3])} ended with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def results(name):
    return open(os.path.join(root, "tests/SparseFrontier.Benchmarks/results", name)).read()


# Measured: a whole prefill of 131,072 tokens, steps at 32,768, and one layer at sparsity 0.9.
seconds, attention_seconds = map(float, re.search(r"prefill 131072 Dense : median ([0-9.]+) s .*attention ([0-9.]+) s", results("cuda-model.txt")).groups())
alone, eight = (float(re.findall(rf"step 32768 Dense batch {n}: .*next token alone ([0-9.]+)", results("cuda-step.txt"))[0]) / 1e3 for n in (1, 8))
layer = {}
for method, length, index, attention in re.findall(r"^(\w+) +(\d+) +[0-9.-]+ +[0-9.]+ +([0-9.]+) +([0-9.]+) +[0-9.]+x +[0-9.]+x +[0-9.]+ +", results("cuda-kernels.txt").split("Decode on")[0], re.M):
    layer[method, int(length)] = (float(index), float(attention))


def kernel(method, length):
    """Share of dense attention's rate that a sparse kernel reaches on what it attends to, and its index in dense attentions: at the longest measured length not above."""
    at = max(n for m, n in layer if m == method and n <= max(length, 16384)) if length < 128000 else 131072
    dense = layer["Dense", at][1]
    index, attention = layer[method, at]
    return 0.1 * dense / attention, index / dense


def density(plan):
    """Share of the causal pairs that a prefill attends to, at most."""
    if plan["ExpectedSparsity"] is not None:
        return 1 - plan["ExpectedSparsity"]
    given = dict(p.split("=") for p in plan["Parameters"].split(";"))
    length = plan["SequenceLength"]
    if plan["Method"] == "VerticalSlash":
        return min(1, 2 * (int(given["VerticalSize"]) + int(given["SlashSize"])) / length)
    return min(1, 4 * int(given["MinimumBudget"]) / length) if float(given["Alpha"]) == 0 else 1


with tempfile.TemporaryDirectory() as work:
    costs, rates = {}, None
    for name, sizes in models.items():
        hollow(os.path.join(work, name), *sizes)
        for row in run("cost", name, "--length", ",".join(map(str, lengths + [131072])), "--method", "Dense"):
            costs[name, row["SequenceLength"], row["Phase"]] = row
    measured = costs["Qwen2.5-7B", 131072, "Prefill"]
    attention_rate = measured["Attention"] / attention_seconds
    other_rate = (measured["Total"] - measured["Attention"]) / (seconds - attention_seconds)
    step = run("cost", "Qwen2.5-7B", "--length", "32768", "--method", "Dense")
    step = next(r for r in step if r["Phase"] == "Decode")
    byte_rate_alone = (step["Weights"] + step["KeyValue"]) / alone
    byte_rate = (step["Weights"] + 8 * step["KeyValue"]) / eight
    plans = run("run", "--preset", "paper", "--what-if", "--model", ",".join(os.path.join(work, m) for m in models))

print("Qwen2.5 7B, 14B, 32B and 72B, all tasks, 16,384 to 128,000 tokens, 100 samples a run, at most 1,024 output tokens: run --preset paper --what-if.")
print(f"Rates, one H100 80GB: attention {attention_rate / 1e12:.0f} and all else {other_rate / 1e12:.0f} TFLOP/s of a prefill; a step reads {byte_rate_alone / 1e12:.2f} TB/s for one sequence, {byte_rate / 1e12:.2f} for eight.")
totals = defaultdict(lambda: defaultdict(float))
groups = set()
for plan in plans:
    if not plan["IsFeasible"]:
        totals[None]["infeasible"] += 1
        continue
    name, length, n = os.path.basename(plan["Model"]), plan["SequenceLength"], plan["SampleCount"]
    cost, decode = costs[name, length, "Prefill"], costs[name, length, "Decode"]
    t = totals[name, length]
    other, attention = (cost["Total"] - cost["Attention"]) / other_rate, cost["Attention"] / attention_rate
    method = plan["Method"]
    if method == "Dense":
        sparse = other + attention
    else:
        share, index = kernel(method, length)
        sparse = other + attention * (density(plan) / share + index)
    t["runs"] += 1
    t["alone"] += n * (other + attention)
    t["sparse"] += n * sparse
    if plan["PrefillGroup"] not in groups:
        groups.add(plan["PrefillGroup"])
        t["prefills"] += 1
        t["shared"] += n * (other + attention)
        t["both"] += n * sparse
    weights = n * plan["MaximumOutputTokens"] * decode["Weights"]
    reads = plan["BytesRead"] if plan["BytesRead"] is not None else n * plan["MaximumOutputTokens"] * decode["KeyValue"]
    t["decode"] += (weights + reads) / byte_rate_alone
    t["batched"] += (weights / 8 + reads) / byte_rate
    t["cache"] = max(t["cache"], plan["CacheBytes"])
    t["weights"] = decode["Weights"]

print(f"\n{'GPU-hours':12} {'tokens':>7} {'runs':>6} {'prefills':>8} | prefill {'alone':>8} {'shared':>8} {'sparse':>8} {'both':>8} | steps {'one':>8} {'of 8':>8} | {'GB a sequence':>13} {'weights':>8} {'GPUs':>4}")
sums = defaultdict(float)
held = 0
for (name, length), t in sorted(((k, v) for k, v in totals.items() if k), key=lambda e: (list(models).index(e[0][0]), e[0][1])):
    h = {k: v / 3600 for k, v in t.items() if k in ("alone", "shared", "sparse", "both", "decode", "batched")}
    gpus = math.ceil((t["weights"] + t["cache"]) / (80e9 * 0.97 - 2 * 2**30))
    held += gpus * (h["both"] + h["batched"])
    print(f"{name:12} {length:7} {t['runs']:6.0f} {t['prefills']:8.0f} | {'':7} {h['alone']:8.0f} {h['shared']:8.0f} {h['sparse']:8.0f} {h['both']:8.0f} | {'':5} {h['decode']:8.0f} {h['batched']:8.0f} | {t['cache'] / 1e9:13.1f} {t['weights'] / 1e9:8.0f} {gpus:4}")
    for k, v in {**h, "runs": t["runs"], "prefills": t["prefills"]}.items():
        sums[k] += v
print(f"{'all':12} {'':7} {sums['runs']:6.0f} {sums['prefills']:8.0f} | {'':7} {sums['alone']:8.0f} {sums['shared']:8.0f} {sums['sparse']:8.0f} {sums['both']:8.0f} | {'':5} {sums['decode']:8.0f} {sums['batched']:8.0f} |")
print(f"alone + steps of one: {sums['alone'] + sums['decode']:.0f} GPU-hours; shared + steps of eight: {sums['shared'] + sums['batched']:.0f}; both + steps of eight: {sums['both'] + sums['batched']:.0f}")
print(f"GPU-hours held for the last, where layers are spread over the fewest GPUs of 80 GB that hold weights and one cache, of which one works at a time: {held:.0f}")
if totals[None]["infeasible"]:
    print(f"infeasible and not counted: {totals[None]['infeasible']:.0f} runs")
print("\nalone: every run reads its prompts with dense kernels. shared: runs of equal prefill read them once. sparse: kernels that skip what is left out. both: both. Sparse kernels:")
for method in ("VerticalSlash", "BlockSparse", "FlexPrefill"):
    print(f"  {method}: " + ", ".join("{0} tokens {1:.2f} of dense attention's rate, index {2:.2f} dense attentions".format(n, *kernel(method, n)) for n in lengths))
