"""Transformers on a random checkpoint of Qwen2.5-7B's shape on one GPU: the peers' side of the suite cuda-model. Prefill by length through
cuDNN's and PyTorch's own FlashAttention-2, decode of one sequence eager and with a static cache, compiled.

    python3 peers_model.py [lengths, e.g. 8192,32768,131072] [--decode LENGTH] [--flash]"""
import argparse
import statistics
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import Qwen2Config, Qwen2ForCausalLM, StaticCache
import transformers

parser = argparse.ArgumentParser()
parser.add_argument("lengths", nargs="?", default="8192,32768,131072")
parser.add_argument("--decode", type=int, default=32768)
parser.add_argument("--flash", action="store_true")
parser.add_argument("--repeats", type=int, default=3)
options = parser.parse_args()

config = Qwen2Config(vocab_size=152064, hidden_size=3584, intermediate_size=18944, num_hidden_layers=28, num_attention_heads=28, num_key_value_heads=4,
                     max_position_embeddings=131136, rope_parameters=dict(rope_type="default", rope_theta=1e6), tie_word_embeddings=False)
torch.set_default_dtype(torch.bfloat16)
torch.manual_seed(1)
with torch.device("cuda"):
    model = Qwen2ForCausalLM(config).eval()
model.set_attn_implementation("sdpa")
print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, Transformers {transformers.__version__}", flush=True)


def seconds(run):
    torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - start


for length in [int(x) for x in options.lengths.split(",") if x]:
    ids = torch.randint(0, 150000, (1, length), device="cuda")
    for name, backend in [("cudnn", SDPBackend.CUDNN_ATTENTION)] + ([("flash", SDPBackend.FLASH_ATTENTION)] if options.flash else []):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        with torch.inference_mode(), sdpa_kernel(backend):
            def prefill():
                return model(input_ids=ids, use_cache=True, logits_to_keep=1)
            seconds(prefill)
            times = sorted(seconds(prefill) for _ in range(options.repeats))
        print(f"prefill {length} {name}: median {statistics.median(times):.3f} s ({times[0]:.3f}-{times[-1]:.3f}), "
              f"peak {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB", flush=True)

if options.decode:
    ids = torch.randint(0, 150000, (1, options.decode), device="cuda")
    token = ids[:, :1]
    with torch.inference_mode(), sdpa_kernel([SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]):
        cache = model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values

        def eager():
            model(input_ids=token, past_key_values=cache, use_cache=True)
        for _ in range(3):
            eager()
        times = sorted(seconds(eager) for _ in range(20))
        print(f"decode {options.decode} eager: median {statistics.median(times) * 1e3:.2f} ms/token ({times[0] * 1e3:.2f}-{times[-1] * 1e3:.2f})", flush=True)
        del cache
        torch.cuda.empty_cache()
        try:
            # A static cache is read in chunks, because its attention takes a mask of rows x cache.
            static = StaticCache(config=config, max_cache_len=options.decode + 128)
            for first in range(0, options.decode, 2048):
                part = ids[:, first:first + 2048]
                model(input_ids=part, past_key_values=static, use_cache=True, logits_to_keep=1, position_ids=torch.arange(first, first + part.shape[1], device="cuda")[None])
            position = torch.tensor([[options.decode]], device="cuda")

            def step(token, position):
                return model(input_ids=token, past_key_values=static, use_cache=True, position_ids=position).logits[:, -1].argmax(-1)

            compiled_step = torch.compile(step, mode="reduce-overhead")

            def compiled():
                compiled_step(token, position).item()
                position.add_(1)

            print(f"compiling took {seconds(lambda: [compiled() for _ in range(6)]):.0f} s", flush=True)
            times = sorted(seconds(compiled) for _ in range(40))
            print(f"decode {options.decode} static cache, compiled: median {statistics.median(times) * 1e3:.2f} ms/token ({times[0] * 1e3:.2f}-{times[-1] * 1e3:.2f})", flush=True)
        except Exception as e:  # a peer that fails is told, not hidden
            print(f"decode {options.decode} static cache, compiled: failed: {type(e).__name__} {str(e)[:600]}", flush=True)
