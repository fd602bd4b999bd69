"""Trains an embedded model on batches streamed from the engine's own task generators.

    python3 train.py --engine "dotnet sparsefrontier.dll" --tokenizer DIRECTORY --output DIRECTORY [--seconds 840] [--seed 1]

One decoder in Qwen 3 configuration (QK norm, SwiGLU, grouped-query attention, tied embeddings), written out in Hugging Face layout, bf16.
The engine runs as `task generate --serve`: a request a line in, a binary batch out, so that no data file exists. Loss is taken on the
response alone. Each task's curriculum advances on its own accuracy, not on time: four checks must reach it; a fifth of the batches replays
earlier levels. Learning rate 1e-3 with warm-up and QK norm are both needed: without either nothing was learned.
"""
import argparse
import json
import math
import os
import queue
import random
import shlex
import shutil
import struct
import subprocess
import threading
import time

import numpy
import torch
import torch.nn as nn
import torch.nn.functional as F

# By task: the accuracy over the response's tokens at which a level is passed, and the levels: (prompt tokens, task parameters, tokens of the
# longest row with its response). A task's last levels are the paper's task, or as much of it as the length holds.
CURRICULUM = {
    "Niah": (0.93, [
        (320, dict(Queries=4, KeyGroups=1), 512), (768, dict(Queries=8, KeyGroups=1), 1024), (768, dict(Queries=4, KeyGroups=2), 1024),
        (1280, {}, 1664), (2048, {}, 2432), (4096, {}, 4480)]),
    "VariableTracking": (0.93, [
        (320, dict(Chains=2, Hops=1), 512), (512, dict(Chains=3, Hops=2), 704), (768, dict(Chains=4, Hops=3), 1024),
        (1024, {}, 1344), (2048, {}, 2432), (4096, {}, 4480)]),
    "CommonWords": (0.90, [
        (1280, dict(CommonFrequency=10, RareFrequency=1), 1664), (2048, dict(CommonFrequency=15, RareFrequency=2), 2432), (4096, {}, 4480)]),
    "StoryRetrieval": (0.97, [
        (768, dict(Queries=1), 1024), (1280, dict(Queries=2), 1664), (2048, dict(Queries=6), 2432), (4096, dict(Queries=8), 4480)]),
    "StoryMultiHop": (0.97, [(768, {}, 1024), (1280, {}, 1664), (2048, {}, 2432), (4096, {}, 4480)]),
    "StoryFiltering": (0.97, [
        (768, dict(Chapters=1), 1024), (1280, dict(Chapters=1), 1664), (2048, {}, 2432), (4096, {}, 4480)]),
}
LONG = 2048  # from this length on most prompts carry the full instructions; below, always the short ones
TOKENS_A_STEP = 32768


class Norm(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight, self.epsilon)


def rotate(x, cosines, sines):
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cosines - b * sines, b * cosines + a * sines], -1)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, d = c["hidden_size"], c["head_dim"]
        self.heads, self.kv_heads, self.d = c["num_attention_heads"], c["num_key_value_heads"], d
        epsilon = c["rms_norm_eps"]
        self.input_layernorm, self.post_attention_layernorm = Norm(width, epsilon), Norm(width, epsilon)
        self.q_proj = nn.Linear(width, self.heads * d, False)
        self.k_proj = nn.Linear(width, self.kv_heads * d, False)
        self.v_proj = nn.Linear(width, self.kv_heads * d, False)
        self.o_proj = nn.Linear(self.heads * d, width, False)
        self.q_norm, self.k_norm = Norm(d, epsilon), Norm(d, epsilon)
        self.gate_proj = nn.Linear(width, c["intermediate_size"], False)
        self.up_proj = nn.Linear(width, c["intermediate_size"], False)
        self.down_proj = nn.Linear(c["intermediate_size"], width, False)

    def forward(self, x, cosines, sines):
        batch, length, _ = x.shape
        h = self.input_layernorm(x)
        q = rotate(self.q_norm(self.q_proj(h).view(batch, length, self.heads, self.d)).transpose(1, 2), cosines, sines)
        k = rotate(self.k_norm(self.k_proj(h).view(batch, length, self.kv_heads, self.d)).transpose(1, 2), cosines, sines)
        v = self.v_proj(h).view(batch, length, self.kv_heads, self.d).transpose(1, 2)
        o = F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v, is_causal=True, enable_gqa=True)
        x = x + self.o_proj(o.transpose(1, 2).reshape(batch, length, -1))
        h = self.post_attention_layernorm(x)
        return x + self.down_proj(F.silu(self.gate_proj(h)) * self.up_proj(h))


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Block(c) for _ in range(c["num_hidden_layers"]))
        self.norm = Norm(c["hidden_size"], c["rms_norm_eps"])
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(parameter, 0, 0.02 / (math.sqrt(2 * c["num_hidden_layers"]) if residual else 1))
        d = c["head_dim"]
        frequencies = c["rope_theta"] ** (-torch.arange(0, d, 2).float() / d)
        angles = torch.arange(c["max_position_embeddings"]).float()[:, None] * frequencies
        self.register_buffer("cosines", angles.cos().bfloat16(), persistent=False)
        self.register_buffer("sines", angles.sin().bfloat16(), persistent=False)

    def forward(self, ids):
        x = self.embed_tokens(ids)
        length = ids.shape[1]
        for layer in self.layers:
            x = layer(x, self.cosines[:length], self.sines[:length])
        return self.norm(x)


class Engine:
    """One engine process, one thread that keeps a few batches ready. `choose` says what to ask for next."""

    def __init__(self, command, tokenizer, number, choose, seed):
        self.process = subprocess.Popen(
            shlex.split(command) + ["task", "generate", "--serve", "--tokenizer", tokenizer], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.batches = queue.Queue(3)
        self.choose, self.seed, self.next = choose, seed * 100 + number, 0
        if choose is not None:
            threading.Thread(target=self.run, daemon=True).start()

    def request(self, task, length, parameters, count, short, split="training", start=None):
        line = dict(task=task, length=length, count=count, seed=self.seed, start=self.next if start is None else start, split=split,
                    parameters=parameters, shortInstructions=short, stop="<|im_end|>")
        self.next += count
        self.process.stdin.write((json.dumps(line) + "\n").encode())
        self.process.stdin.flush()
        count, width = struct.unpack("<ii", self.read(8))
        if count < 0:
            raise RuntimeError(self.read(width).decode())
        ids = numpy.frombuffer(self.read(4 * count * width), dtype="<i4").reshape(count, width)
        starts = numpy.frombuffer(self.read(4 * count), dtype="<i4")
        return ids, starts

    def read(self, size):
        data = self.process.stdout.read(size)
        if data is None or len(data) < size:
            raise RuntimeError("the engine ended; its message is above")
        return data

    def run(self):
        try:
            while True:
                task, level, short = self.choose()
                length, parameters, width = CURRICULUM[task][1][level]
                ids, starts = self.request(task, length, parameters, max(1, TOKENS_A_STEP // width), short)
                self.batches.put((task, level, *to_batch(ids, starts, width)))
        except Exception as error:  # the trainer would wait for batches for ever
            print(f"batches ended: {error}", flush=True)
            os._exit(1)


def to_batch(ids, starts, width):
    """Pads to `width` + 1 and marks the response: returns ids [rows, width + 1], mask [rows, width] of the tokens to predict."""
    rows = ids.shape[0]
    if ids.shape[1] > width + 1:
        raise RuntimeError(f"a sample of {ids.shape[1]} tokens does not fit the width {width}")
    padded = numpy.full((rows, width + 1), -1, dtype=numpy.int64)
    padded[:, :ids.shape[1]] = ids
    positions = numpy.arange(1, width + 1)[None]
    mask = (positions >= starts[:, None]) & (padded[:, 1:] >= 0)
    return torch.from_numpy(numpy.maximum(padded, 0)).pin_memory(), torch.from_numpy(mask).pin_memory()


def loss_and_accuracy(model, forward, ids, mask):
    ids, mask = ids.cuda(non_blocking=True), mask.cuda(non_blocking=True)
    with torch.autocast("cuda", torch.bfloat16):
        hidden = forward(ids[:, :-1])[mask]
        logits = hidden @ model.embed_tokens.weight.T
    target = ids[:, 1:][mask]
    return F.cross_entropy(logits.float(), target), (logits.argmax(-1) == target).float().mean()


def save(model, configuration, options, name, card):
    """Writes a checkpoint in Hugging Face layout."""
    from safetensors.torch import save_file
    directory = os.path.join(options.output, name)
    os.makedirs(directory, exist_ok=True)
    tensors = {"model.embed_tokens.weight": model.embed_tokens.weight, "model.norm.weight": model.norm.weight}
    for i, layer in enumerate(model.layers):
        for key, value in layer.state_dict().items():
            part = "self_attn." if key.split(".")[0] in ("q_proj", "k_proj", "v_proj", "o_proj", "q_norm", "k_norm") else ""
            part = "mlp." if key.split(".")[0] in ("gate_proj", "up_proj", "down_proj") else part
            tensors[f"model.layers.{i}.{part}{key}"] = value
    save_file({k: v.detach().to(torch.bfloat16).contiguous().cpu() for k, v in tensors.items()}, os.path.join(directory, "model.safetensors"),
              metadata={"format": "pt"})
    for file, content in (("config.json", configuration), ("training.json", card),
                          ("generation_config.json", {"eos_token_id": configuration["eos_token_id"], "do_sample": False})):
        with open(os.path.join(directory, file), "w", newline="\n") as f:
            json.dump(content, f, indent=2)
            f.write("\n")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(os.path.join(options.tokenizer, file), os.path.join(directory, file))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", required=True, help="command that starts the engine's command line")
    parser.add_argument("--tokenizer", required=True, help="directory of tokenizer.json")
    parser.add_argument("--output", required=True)
    parser.add_argument("--seconds", type=float, default=840)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tasks", default=",".join(CURRICULUM))
    parser.add_argument("--engines", type=int, default=3, help="engine processes")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--intermediate", type=int, default=768)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--kv-heads", type=int, default=2)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    chooser = random.Random(options.seed)

    tokenizer = json.load(open(os.path.join(options.tokenizer, "tokenizer.json"), encoding="utf-8"))
    added = {t["content"]: t["id"] for t in tokenizer["added_tokens"]}
    stop = added["<|im_end|>"]
    vocabulary = -(-(len(tokenizer["model"]["vocab"]) + len(added)) // 64) * 64
    c = dict(
        architectures=["Qwen3ForCausalLM"], model_type="qwen3", vocab_size=vocabulary, hidden_size=options.width,
        intermediate_size=options.intermediate, num_hidden_layers=options.layers, num_attention_heads=options.heads,
        num_key_value_heads=options.kv_heads, head_dim=64, hidden_act="silu", max_position_embeddings=8192, rms_norm_eps=1e-5,
        rope_theta=100000.0, attention_bias=False, attention_dropout=0.0, tie_word_embeddings=True, use_sliding_window=False,
        bos_token_id=None, eos_token_id=stop, pad_token_id=added["<|endoftext|>"], torch_dtype="bfloat16")
    model = Model(c).cuda()
    parameter_count = sum(p.numel() for p in model.parameters())
    for layer in model.layers:
        layer.compile(dynamic=False)
    torch._dynamo.config.recompile_limit = 64
    decay = [p for p in model.parameters() if p.dim() == 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [dict(params=decay, weight_decay=0.05), dict(params=rest, weight_decay=0)], lr=options.learning_rate, betas=(0.9, 0.95), fused=True)

    tasks = options.tasks.split(",")
    reached, recent = dict.fromkeys(tasks, 0), {task: [] for task in tasks}

    def choose():
        # A task on its way gets twice the batches of one that has arrived; a fifth of the batches replays, the last level mixes the long ones.
        task = chooser.choices(tasks, [1 if reached[t] == len(CURRICULUM[t][1]) - 1 else 2 for t in tasks])[0]
        levels, level = CURRICULUM[task][1], reached[task]
        if level == len(levels) - 1 and chooser.random() < 0.5:
            level = chooser.choice([i for i, (length, _, _) in enumerate(levels) if length >= LONG or length == levels[-3][0]])
        elif chooser.random() < 0.2:
            level = chooser.randint(0, level)
        return task, level, levels[level][0] < LONG or chooser.random() < 0.25

    engines = [Engine(options.engine, options.tokenizer, i, choose, options.seed) for i in range(options.engines)]
    engines[0].batches.get()
    print(f"{parameter_count / 1e6:.2f}M parameters, vocabulary {vocabulary}", flush=True)

    start, step, tokens, waited, saved, log = time.time(), 0, 0, 0.0, 0, []
    while True:
        progress = (time.time() - start) / options.seconds
        if progress >= 1:
            break
        before = time.time()
        task, level, ids, mask = engines[step % len(engines)].batches.get()
        waited += time.time() - before
        rate = options.learning_rate * min(1, (step + 1) / 600) * (1 if progress < 0.6 else max(0.02, 1 - (progress - 0.6) / 0.4))
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss, accuracy = loss_and_accuracy(model, model, ids, mask)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        tokens += ids.numel()
        if step % 4 == 0 and level == reached[task]:
            checks = recent[task]
            checks.append(accuracy.item())
            gate, levels = CURRICULUM[task]
            if len(checks) >= 4 and sum(checks[-4:]) / 4 > gate and level + 1 < len(levels):
                reached[task], recent[task] = level + 1, []
                log.append(dict(seconds=round(time.time() - start), tokens=tokens, task=task, level=level + 1))
                print(f"{time.time() - start:.0f}s step {step} {tokens / 1e6:.0f}M tokens {task} -> level {level + 1} {levels[level + 1]}", flush=True)
        if step % 2000 == 0:
            now = " ".join(f"{t}:{reached[t]}:{sum(recent[t][-8:]) / max(1, len(recent[t][-8:])):.3f}" for t in tasks)
            print(f"{time.time() - start:.0f}s step {step} {tokens / 1e6:.0f}M tokens loss {loss.item():.4f} {now} waited {waited:.0f}s", flush=True)
        if time.time() - start > 300 * (saved + 1):
            saved += 1
            save(model, c, options, "checkpoint", dict(steps=step, tokens=tokens))

    model.eval()
    scores = {}
    with torch.no_grad():
        # Samples of the calibration split: never trained on, and not those that scores are reported on.
        examiner = Engine(options.engine, options.tokenizer, 0, None, 7)
        for task in tasks:
            for length, parameters, width in CURRICULUM[task][1][-2:]:
                right, rows = 0, 0
                for batch in range(4):
                    ids, mask = to_batch(*examiner.request(task, length, parameters, 16, False, "calibration", 16 * batch), width)
                    ids, mask = ids.cuda(), mask.cuda()
                    with torch.autocast("cuda", torch.bfloat16):
                        hit = (model(ids[:, :-1]) @ model.embed_tokens.weight.T).argmax(-1) == ids[:, 1:]
                    right += (hit | ~mask).all(1).sum().item()
                    rows += hit.shape[0]
                scores[f"{task} {length}"] = right / rows
                print(f"{task} {length} {parameters}: {right}/{rows} responses wholly right (teacher-forced)", flush=True)
    card = dict(parameters=parameter_count, steps=step, tokens=tokens, seconds=options.seconds, seed=options.seed, curriculum=CURRICULUM, advanced=log,
                learning_rate=options.learning_rate, tokens_a_step=TOKENS_A_STEP, torch=torch.__version__, device=torch.cuda.get_device_name(),
                wholly_right_teacher_forced=scores)
    save(model, c, options, "model", card)
    print(json.dumps(card), flush=True)


if __name__ == "__main__":
    main()
    os._exit(0)  # the engine's reader threads wait on pipes
