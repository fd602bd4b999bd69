"""Trains an embedded model on one GPU, on batches streamed from the engine's own task generators.

    python3 train.py --engine "dotnet sparsefrontier.dll" --tokenizer DIRECTORY --output DIRECTORY --size 7m [--seed 1]

One decoder in Qwen 3 configuration (QK norm, SwiGLU, grouped-query attention, tied embeddings), written out in Hugging Face layout, bf16. Samples are
packed without padding (variable-length FlashAttention); loss is taken on the responses alone, each task's mean counting the same. First come copies of
random tokens until the model copies; then the curriculum of curriculum.py, in which each task advances on its own accuracy. Learning rate and the end
follow the token budget, so that models of different size see the same; --seconds ends a run that would not reach it.

Every four minutes, on SIGTERM and on Ctrl-C the run is written to OUTPUT/checkpoint; the same command goes on from there.
"""
import argparse
import contextlib
import hashlib
import json
import math
import os
import signal
import sys
import time
import types

import numpy
import torch
import torch.nn as nn
import torch.nn.functional as F

from curriculum import CURRICULUM, STOP, Engine, Feed, pack

SIZES = {  # layers, width, intermediate, heads, KV heads
    "1m": (4, 128, 192, 4, 2),
    "3m": (6, 160, 320, 8, 4),
    "7m": (6, 256, 640, 8, 4),
}
HEAD = 64
CONTEXT = 10240  # 8192 tokens of prompt and the response
WARM_UP = 300  # steps
CHECKPOINT = 240  # seconds between checkpoints
EXAMINED = (1024, 2048, 4096, 8192)  # tokens of the prompts of the check at the end


def unit(x, weight, epsilon=1e-5):
    """RMS norm in float32."""
    x = x.float()
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * weight


def project(x, norm, wq, wk, wv, q_norm, k_norm, cosines, sines):
    """Queries, keys, values [tokens, heads, 64] of the residual stream [tokens, width]."""
    h = unit(x, norm).bfloat16()

    def rotated(w, weight):
        y = unit((h @ w.bfloat16().T).view(h.shape[0], -1, HEAD), weight)
        a, b = y[..., :HEAD // 2], y[..., HEAD // 2:]
        return torch.cat([a * cosines - b * sines, b * cosines + a * sines], -1).bfloat16()

    return rotated(wq, q_norm), rotated(wk, k_norm), (h @ wv.bfloat16().T).view(h.shape[0], -1, HEAD)


def finish(x, o, wo, norm, gate, up, down):
    """The rest of a layer after attention: output projection and SwiGLU."""
    x = x + o.reshape(o.shape[0], -1) @ wo.bfloat16().T
    h = unit(x, norm).bfloat16()
    return x + (F.silu(h @ gate.bfloat16().T) * (h @ up.bfloat16().T)) @ down.bfloat16().T


def attend(q, k, v, bounds, longest):
    """Causal attention within each sample of the packed row."""
    if q.is_cuda:
        return torch.ops.aten._flash_attention_forward(q, k, v, bounds, bounds, longest, longest, 0.0, True, False)[0]
    outputs = []  # plainly, on a CPU
    for q, k, v in zip(*(x.float().transpose(0, 1).tensor_split(bounds[1:-1].long(), 1) for x in (q, k, v))):
        k, v = (x.repeat_interleave(len(q) // len(x), 0) for x in (k, v))
        scores = (q @ k.transpose(1, 2) / math.sqrt(HEAD)).masked_fill(torch.ones(q.shape[1], q.shape[1]).triu(1).bool(), -math.inf)
        outputs.append((scores.softmax(-1) @ v).transpose(0, 1))
    return torch.cat(outputs).bfloat16()


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        width, heads, kv_heads, inner = c["hidden_size"], c["num_attention_heads"], c["num_key_value_heads"], c["intermediate_size"]
        residual = 0.02 / math.sqrt(2 * c["num_hidden_layers"])

        def matrix(rows, columns, deviation=0.02):
            return nn.Parameter(torch.randn(rows, columns) * deviation)

        self.embedding = matrix(c["vocab_size"], width)
        self.norm = nn.Parameter(torch.ones(width))
        self.layers = nn.ModuleList(nn.ParameterDict({
            "input_layernorm": nn.Parameter(torch.ones(width)), "post_attention_layernorm": nn.Parameter(torch.ones(width)),
            "q_proj": matrix(heads * HEAD, width), "k_proj": matrix(kv_heads * HEAD, width), "v_proj": matrix(kv_heads * HEAD, width),
            "o_proj": matrix(width, heads * HEAD, residual),
            "q_norm": nn.Parameter(torch.ones(HEAD)), "k_norm": nn.Parameter(torch.ones(HEAD)),
            "gate_proj": matrix(inner, width), "up_proj": matrix(inner, width), "down_proj": matrix(width, inner, residual),
        }) for _ in range(c["num_hidden_layers"]))
        angles = torch.arange(CONTEXT).float()[:, None] * c["rope_theta"] ** (-torch.arange(0, HEAD, 2).float() / HEAD)
        self.register_buffer("cosines", angles.cos())
        self.register_buffer("sines", angles.sin())

    def forward(self, ids, positions, bounds, longest):
        """Residual stream [tokens, width] before the last norm."""
        x = F.embedding(ids, self.embedding)
        cosines, sines = self.cosines[positions][:, None], self.sines[positions][:, None]
        for p in self.layers:
            q, k, v = project(x, p["input_layernorm"], p["q_proj"], p["k_proj"], p["v_proj"], p["q_norm"], p["k_norm"], cosines, sines)
            o = attend(q, k, v, bounds, longest)
            x = finish(x, o, p["o_proj"], p["post_attention_layernorm"], p["gate_proj"], p["up_proj"], p["down_proj"])
        return x

    def logits(self, x):
        return (unit(x, self.norm).bfloat16() @ self.embedding.bfloat16().T).float()


def orthogonal(g):
    """The nearest semi-orthogonal matrices, roughly (Newton-Schulz, five steps): what Muon makes of momentum. [n, rows, columns], rows at most columns"""
    x = g.bfloat16()
    x = x / (x.float().pow(2).sum((1, 2), keepdim=True).sqrt() + 1e-7).bfloat16()
    for _ in range(5):
        a = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.float()


class Muon:
    """Muon for the layers' matrices: momentum 0.95 (Nesterov), orthogonalised, scaled to a root mean square of 0.2 as AdamW's steps have."""

    def __init__(self, parameters, decay):
        self.groups = {}  # by rows and columns with the smaller first: one stack of matrices, turned where need be
        for p in parameters:
            self.groups.setdefault((min(p.shape), max(p.shape)), []).append(p)
        self.momentum = {shape: torch.zeros(len(ps), *shape, device=ps[0].device) for shape, ps in self.groups.items()}
        self.decay = decay

    @torch.no_grad()
    def step(self, rate):
        for shape, ps in self.groups.items():
            turned = [p.shape[0] > p.shape[1] for p in ps]
            g, m = torch.stack([p.grad.T if t else p.grad for p, t in zip(ps, turned)]), self.momentum[shape]
            m.lerp_(g, 0.05)
            step = orthogonal(g.lerp(m, 0.95)) * (-rate * 0.2 * math.sqrt(shape[1]))
            torch._foreach_mul_(ps, 1 - rate * self.decay)
            torch._foreach_add_(ps, [s.T if t else s for s, t in zip(step.unbind(0), turned)])
            for p in ps:
                p.grad = None


def copies(tokens, vocabulary, generator, device):
    """A packed batch of the first stage: random tokens, then the same again, from all of the vocabulary or from a few dozen of it."""
    half = int(torch.randint(40, 160, (1,), generator=generator))
    rows = tokens // (2 * half)
    few = torch.randint(24, 96, (rows, 1), generator=generator)
    lowest = torch.randint(0, vocabulary - 96, (rows, 1), generator=generator)
    many = torch.rand(rows, 1, generator=generator) < 0.5
    first = torch.where(many, (torch.rand(rows, half, generator=generator) * vocabulary).long(), lowest + (torch.rand(rows, half, generator=generator) * few).long())
    ids = torch.cat([torch.cat([first, first], 1).flatten(), torch.zeros(tokens - rows * 2 * half, dtype=torch.long)])
    ends = list(range(0, rows * 2 * half + 1, 2 * half)) + ([tokens] if rows * 2 * half < tokens else [])
    inside = torch.arange(tokens) % (2 * half)
    predict = torch.nonzero((inside >= half + 3) & (inside < 2 * half - 1) & (torch.arange(tokens) < rows * 2 * half)).flatten()
    bounds = torch.tensor(ends, dtype=torch.int32)
    return ids.to(device), inside.to(device), bounds.to(device), 320, predict.to(device), ids[predict + 1].to(device)


@contextlib.contextmanager
def replacing(path):
    """A file to write; it takes the place of the one at this path once it is whole and on the disk."""
    with open(path + ".new", "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)
    directory = os.open(os.path.dirname(path), os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def safetensors(tensors, path):
    """Writes bf16 tensors by name in the safetensors format."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in tensors.items():
        size = 2 * tensor.numel()
        header[name] = dict(dtype="BF16", shape=list(tensor.shape), data_offsets=[offset, offset + size])
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(tensor.detach().to(torch.bfloat16).contiguous().cpu().view(torch.int16).numpy().tobytes())


def save(model, options, name, card):
    """Writes the model in Hugging Face layout."""
    directory = os.path.join(options.output, name)
    os.makedirs(directory, exist_ok=True)
    tensors = {"model.embed_tokens.weight": model.embedding, "model.norm.weight": model.norm}
    for i, layer in enumerate(model.layers):
        for key, value in layer.items():
            part = "self_attn." if key[:2] in ("q_", "k_", "v_", "o_") else "mlp." if key.split("_")[0] in ("gate", "up", "down") else ""
            tensors[f"model.layers.{i}.{part}{key}.weight"] = value
    safetensors(tensors, os.path.join(directory, "model.safetensors"))
    for file, content in (("config.json", model.c), ("training.json", card),
                          ("generation_config.json", {"eos_token_id": model.c["eos_token_id"], "do_sample": False})):
        with replacing(os.path.join(directory, file)) as f:
            f.write((json.dumps(content, indent=1) + "\n").encode())
    for file in ("tokenizer.json", "tokenizer_config.json"):
        with open(os.path.join(options.tokenizer, file), "rb") as source, replacing(os.path.join(directory, file)) as f:
            f.write(source.read())


def earlier(options, arguments):
    """What a run with these arguments left in the output folder to go on from, if any. Refuses what would be written over."""
    file, finished = f"{options.output}/checkpoint/run.pt", f"{options.output}/model/training.json"
    if not os.path.exists(file):
        for name in ("checkpoint/model.safetensors", "model"):
            if os.path.exists(f"{options.output}/{name}"):
                sys.exit(f"{options.output} holds {name}, which this run would write over, and no checkpoint/run.pt to go on from. Give another --output.")
        return None
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        state.update(json.loads(state["rest"]))
        there = state["arguments"]
    except Exception as error:
        sys.exit(f"{file} cannot be read ({type(error).__name__}: {str(error).splitlines()[0]}): it is damaged, or another program's. Give another --output, or move {options.output} away to begin again.")
    other = [f"{name} {there.get(name)}, not {value}" for name, value in arguments.items() if there.get(name) != value]
    if other:
        sys.exit(f"{options.output} holds a run with {'; '.join(other)}. Give its arguments to go on with it, or another --output.")
    if os.path.exists(finished):
        with open(finished, encoding="utf-8") as f:
            if "wholly_right_teacher_forced" in json.load(f):
                print(f"{options.output}/model is finished: nothing to do. For another training give another --output.")
                sys.exit(0)
    return state


def to_device(batch, device):
    def moved(key):
        tensor = torch.from_numpy(batch[key])
        return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor

    ids, positions, bounds = moved("ids"), moved("positions"), moved("bounds")
    rest = [moved(key) for key in ("predict", "target", "number", "groups")]
    longest = int(numpy.diff(batch["bounds"]).max())
    return ids.long(), positions.long(), bounds, next(n for n in (512, 1024, 2048, 4096, CONTEXT, 1 << 20) if n >= longest), *rest


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", required=True, help="command that starts the engine's command line")
    parser.add_argument("--tokenizer", required=True, help="directory of tokenizer.json")
    parser.add_argument("--output", required=True)
    parser.add_argument("--size", choices=list(SIZES), default="7m")
    parser.add_argument("--tokens", type=float, default=1.0e9, help="token budget")
    parser.add_argument("--seconds", type=float, default=1200, help="time after which the run ends in any case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tasks", default=",".join(CURRICULUM))
    parser.add_argument("--engines", type=int, default=2, help="engine processes")
    parser.add_argument("--threads", type=int, default=2, help="threads of each of them")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--optimizer", choices=["muon", "adamw"], default="muon")
    parser.add_argument("--copy-steps", type=int, default=1500, help="steps of the first stage at most")
    parser.add_argument("--batch", type=int, default=32768, help="tokens a step; twice as many from a third of the budget on")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    tasks, device = options.tasks.split(","), torch.device(options.device)
    if unknown := set(tasks) - set(CURRICULUM):
        parser.error(f"--tasks {', '.join(sorted(unknown))}: there are {', '.join(CURRICULUM)}.")
    with open(os.path.join(options.tokenizer, "tokenizer.json"), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    arguments = {f"--{name.replace('_', '-')}": getattr(options, name) for name in
                 ("size", "tokens", "seconds", "seed", "tasks", "learning_rate", "optimizer", "copy_steps", "batch")}
    arguments.update({"--device": device.type, "a --tokenizer of SHA-256": digest,
                      "a curriculum of SHA-256": hashlib.sha256(repr([CURRICULUM[task] for task in tasks]).encode()).hexdigest()})
    os.makedirs(options.output, exist_ok=True)
    state = earlier(options, arguments)
    torch.manual_seed(options.seed)

    with open(os.path.join(options.tokenizer, "tokenizer.json"), encoding="utf-8") as file:
        tokenizer = json.load(file)
    added = {t["content"]: t["id"] for t in tokenizer["added_tokens"]}
    words = len(tokenizer["model"]["vocab"])
    vocabulary = -(-(words + len(added)) // 64) * 64
    layers, width, inner, heads, kv_heads = SIZES[options.size]
    c = dict(
        architectures=["Qwen3ForCausalLM"], model_type="qwen3", vocab_size=vocabulary, hidden_size=width, intermediate_size=inner,
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads, head_dim=HEAD, hidden_act="silu",
        max_position_embeddings=CONTEXT, rms_norm_eps=1e-5, rope_theta=100000.0, attention_bias=False, attention_dropout=0.0,
        tie_word_embeddings=True, use_sliding_window=False, bos_token_id=None, eos_token_id=added[STOP], pad_token_id=added["<|endoftext|>"],
        torch_dtype="bfloat16")
    feed = Feed(options.engine, options.tokenizer, tasks, options.engines, options.threads, options.batch, c["pad_token_id"], options.seed, state and state["feed"])
    signals = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda n, _: (signals.append(n), signal.signal(n, signal.SIG_DFL)))  # a second one ends the run at once

    torch.set_num_threads(2)
    if device.type == "cuda":
        torch._dynamo.config.recompile_limit = 64
        for name in ("project", "finish", "orthogonal"):
            globals()[name] = torch.compile(globals()[name], dynamic=False)
    model = Model(c).to(device)
    parameter_count = sum(p.numel() for p in model.parameters())
    print(f"{options.size}: {parameter_count / 1e6:.2f}M parameters, vocabulary {vocabulary}, {torch.__version__}", flush=True)
    matrices = [p for layer in model.layers for p in layer.values() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    muon = Muon(matrices, 0.05) if options.optimizer == "muon" else None
    adam = torch.optim.AdamW(
        [dict(params=[model.embedding] + ([] if muon else matrices), weight_decay=0.05), dict(params=vectors, weight_decay=0)],
        betas=(0.9, 0.95), **(dict(fused=True) if device.type == "cuda" else {}))

    count = len(tasks)
    generator = torch.Generator().manual_seed(options.seed)  # of the copies; nothing behind the first weights draws others here
    statistics = torch.zeros(2 * count, 4, device=device)  # by group: responses wholly right, responses, tokens right, tokens
    window = torch.zeros(count, 4, dtype=torch.float64)
    run = types.SimpleNamespace(step=0, tokens=0, copied=0.0, copying=options.copy_steps > 0, reached=[0] * count, latest={}, advanced=[], waited=0.0, padded=0, resumed=[])
    start = time.time()
    if state:
        model.load_state_dict(state["model"])
        adam.load_state_dict(dict(state=state["adam"], param_groups=adam.state_dict()["param_groups"]))
        for shape, momentum in state["muon"].items():
            muon.momentum[shape].copy_(momentum)
        generator.set_state(state["copies"])
        statistics.copy_(state["statistics"])
        window.copy_(state["window"])
        vars(run).update(state["run"])
        start -= state["seconds"]
        run.resumed.append(run.step)
        print(f"goes on from {options.output}/checkpoint: step {run.step}, {run.tokens / 1e6:.0f}M tokens, {state['seconds']:.0f}s", flush=True)
    spoken = written = time.time() - start

    def write():
        """The checkpoint: all that a run goes on from, and the model in its present state, to look at."""
        nonlocal written
        written = time.time() - start
        os.makedirs(f"{options.output}/checkpoint", exist_ok=True)
        with replacing(f"{options.output}/checkpoint/run.pt") as file:
            torch.save(dict(
                model=model.state_dict(), adam=adam.state_dict()["state"], muon=muon.momentum if muon else {}, copies=generator.get_state(), statistics=statistics,
                window=window, rest=json.dumps(dict(arguments=arguments, feed=feed.state(), run=vars(run), seconds=written))), file)
        save(model, options, "checkpoint", dict(steps=run.step, tokens=run.tokens, seed=options.seed, advanced=run.advanced))

    def leave():
        reason, code = (f"stopped by {signal.Signals(signals[0]).name}", 128 + signals[0]) if signals else ("no more batches come, for the reason above", 1)
        print(f"{time.time() - start:.0f}s {reason}: {options.output}/checkpoint holds step {run.step}, {run.tokens / 1e6:.0f}M tokens; the same command goes on from there", flush=True)
        sys.exit(code)

    def between_steps():
        ends = signals or not feed.process.is_alive()
        if ends or time.time() - start > written + CHECKPOINT:
            write()
        if ends:
            leave()

    def update(loss, progress):
        rate = options.learning_rate * min(1, (run.step + 1) / WARM_UP) * min(1, max(0.01, (1 - progress) / 0.4))
        loss.backward()
        nn.utils.clip_grad_norm_(vectors + [model.embedding] if muon else list(model.parameters()), 1.0)
        for group in adam.param_groups:
            group["lr"] = rate
        if muon:
            muon.step(rate)
        adam.step()
        adam.zero_grad(set_to_none=True)
        return rate

    while run.copying:
        between_steps()
        ids, positions, bounds, longest, predict, target = copies(options.batch, words, generator, device)
        logits = model.logits(model(ids, positions, bounds, longest)[predict])
        update(F.cross_entropy(logits, target), 0)
        run.step, run.tokens = run.step + 1, run.tokens + options.batch
        if run.step % 25 == 0:
            run.copied = (logits.argmax(-1) == target).float().mean().item()
        if run.step % 100 == 0:
            print(f"{time.time() - start:.0f}s copies: step {run.step} right {run.copied:.3f}", flush=True)
        run.copying = run.step < options.copy_steps and run.copied < 0.97
        if not run.copying:
            print(f"{time.time() - start:.0f}s copies end: step {run.step} {run.tokens / 1e6:.0f}M tokens right {run.copied:.3f}", flush=True)

    while True:
        progress = max(run.tokens / options.tokens, (time.time() - start) / options.seconds)
        if progress >= 1:
            break
        between_steps()
        before = time.time()
        batch = feed.take(signals)
        run.waited += time.time() - before
        if batch is None:
            continue
        ids, positions, bounds, longest, predict, target, number, groups = to_device(batch, device)
        logits = model.logits(model(ids, positions, bounds, longest)[predict])
        by_token = groups[number] % count
        losses = F.cross_entropy(logits, target, reduction="none")
        sizes = torch.zeros(count, device=device).index_add_(0, by_token, torch.ones_like(losses))
        rate = update((losses / sizes[by_token]).sum() / (sizes > 0).sum(), progress)
        with torch.no_grad():
            right = (logits.argmax(-1) == target).float()
            missed = torch.zeros(len(groups), device=device).index_add_(0, number, 1 - right)
            one = torch.ones_like(missed)
            statistics.index_add_(0, groups, torch.stack([(missed == 0).float(), one, 0 * one, 0 * one], 1))
            statistics.index_add_(0, groups[number], torch.stack([0 * right, 0 * right, right, torch.ones_like(right)], 1))
        run.step, run.tokens, run.padded = run.step + 1, run.tokens + len(ids), run.padded + batch["padding"]
        if run.step % 20 == 0:
            window += statistics[:count].cpu()
            statistics.zero_()
            for i, task in enumerate(tasks):
                gate, levels = CURRICULUM[task]
                whole, responses, right, predicted = window[i].tolist()
                if responses >= 100:
                    run.latest[task] = (whole / responses, right / predicted)
                    window[i] = 0
                    if whole / responses > gate and run.reached[i] + 1 < len(levels):
                        run.reached[i] += 1
                        run.advanced.append(dict(seconds=round(time.time() - start), tokens=run.tokens, task=task, level=run.reached[i]))
                        print(f"{time.time() - start:.0f}s step {run.step} {run.tokens / 1e6:.0f}M tokens {task} -> level {run.reached[i]}", flush=True)
        feed.want(run.reached, options.batch * (2 if progress > 1 / 3 else 1))
        if time.time() - start > spoken + 30:
            spoken = time.time() - start
            text = " ".join(f"{t}:{level}:{run.latest.get(t, (0, 0))[0]:.2f}/{run.latest.get(t, (0, 0))[1]:.3f}" for t, level in zip(tasks, run.reached))
            print(f"{spoken:.0f}s step {run.step} {run.tokens / 1e6:.0f}M tokens {run.tokens / spoken / 1e6:.2f}M/s rate {rate:.1e} {text} waited {run.waited:.0f}s "
                  f"padding {run.padded / run.tokens:.3f}", flush=True)
    write()
    feed.process.kill()

    card = dict(size=options.size, parameters=parameter_count, steps=run.step, tokens=run.tokens, seconds=round(written), seed=options.seed,
                optimizer=options.optimizer, learning_rate=options.learning_rate, tokens_a_step=options.batch, levels=run.reached,
                advanced=run.advanced, resumed=run.resumed, torch=torch.__version__, device=torch.cuda.get_device_name() if device.type == "cuda" else "CPU")
    save(model, options, "model", card)
    print(f"{time.time() - start:.0f}s saved", flush=True)

    # Samples of the calibration split: never trained on, and not those that scores are reported on.
    examiner, card["wholly_right_teacher_forced"] = Engine(options.engine, options.tokenizer, 4), {}
    for task in tasks:
        for length in EXAMINED:
            if signals:
                leave()
            parameters = {"CommonWords": {} if length >= 4096 else dict(CommonFrequency=10, RareFrequency=1) if length < 2048 else dict(CommonFrequency=15, RareFrequency=2),
                          "StoryRetrieval": {} if length >= 4096 else dict(Queries=length // 512), "VariableTracking": {},
                          "Niah": {}, "StoryFiltering": {} if length > 1024 else dict(Chapters=2)}.get(task, {})
            if task == "Niah" and length < 2048:
                parameters = dict(Queries=2)
            if task == "CommonWords" and length < 2048:
                length = 1280
            score = []
            for part in range(4):
                samples = [(a, b, 0, 0) for a, b in examiner.samples(task, (length, 1, parameters), 16, True, 7, 16 * part, "calibration")]
                while samples:
                    batch = pack(samples, max(options.batch, 16384), c["pad_token_id"])
                    ids, positions, bounds, longest, predict, target, number, groups = to_device(batch, device)
                    with torch.no_grad():
                        right = model.logits(model(ids, positions, bounds, longest)[predict]).argmax(-1) == target
                    missed = torch.zeros(len(groups), device=device).index_add_(0, number, (~right).float())
                    score += (missed == 0).float().tolist()
            card["wholly_right_teacher_forced"][f"{task} {length}"] = sum(score) / len(score)
            print(f"{task} {length} {parameters}: {sum(score):.0f}/{len(score)} responses wholly right (teacher-forced)", flush=True)
    save(model, options, "model", card)
    print(f"{time.time() - start:.0f}s done", flush=True)


if __name__ == "__main__":
    main()
