"""PyTorch and Transformers behind a line protocol, for SparseFrontier.Benchmarks: one JSON request a line in, one JSON answer a line out.

  {"op":"version"}                                                          -> {"version"}
  {"op":"linear","rows","outputs","inputs","type","threads"}                -> {"session"}
  {"op":"attention","queryHeads","kvHeads","length","dimension","threads"}  -> {"session"}
  {"op":"prefill","model","length","type","threads"}                        -> {"session"}
  {"op":"decode","model","length","batch","type","threads"}                 -> {"session"}
  {"op":"run","session","calls"}                                            -> {"seconds"}
"""
import functools
import json
import sys
import time

import torch
import torch.nn.functional as F

TYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
sessions = []


def random(*shape, dtype=torch.float32):
    return (torch.rand(*shape) * 2 - 1).to(dtype)


def version(_):
    import transformers

    return {"version": f"{torch.__version__}, Transformers {transformers.__version__}"}


def linear(r):
    x, w = random(r["rows"], r["inputs"], dtype=TYPES[r["type"]]), random(r["outputs"], r["inputs"], dtype=TYPES[r["type"]])
    return lambda: F.linear(x, w)


def attention(r):
    q = random(1, r["queryHeads"], r["length"], r["dimension"])
    k, v = (random(1, r["kvHeads"], r["length"], r["dimension"]) for _ in range(2))
    return lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)


@functools.cache
def load(path, dtype):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(path, dtype=TYPES[dtype], attn_implementation="sdpa").eval()


def prompt(model, length, batch=1):
    return torch.arange(length).remainder(model.config.vocab_size - 8).repeat(batch, 1)


def prefill(r):
    model = load(r["model"], r["type"])
    ids = prompt(model, r["length"])
    return lambda: model(ids, use_cache=True, logits_to_keep=1)


def decode(r):
    model = load(r["model"], r["type"])
    cache = model(prompt(model, r["length"], r["batch"]), use_cache=True, logits_to_keep=1).past_key_values
    token = torch.full((r["batch"], 1), 5)

    def step():
        model(token, past_key_values=cache, use_cache=True)
        cache.crop(r["length"])

    return step


def run(r):
    work = sessions[r["session"]]
    start = time.perf_counter()
    for _ in range(r["calls"]):
        work()
    return {"seconds": time.perf_counter() - start}


def answer(request):
    operation = {"version": version, "run": run}.get(request["op"])
    if operation:
        return operation(request)
    torch.set_num_threads(request["threads"])
    sessions.append({"linear": linear, "attention": attention, "prefill": prefill, "decode": decode}[request["op"]](request))
    return {"session": len(sessions) - 1}


with torch.inference_mode():
    for text in sys.stdin:
        try:
            reply = answer(json.loads(text))
        except Exception as error:  # the other side decides what to do
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)
