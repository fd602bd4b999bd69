"""Logits of random checkpoints of full size: `model verify --device cuda:0` and Transformers in bfloat16, both against Transformers in float32 on the same card.

    python3 logits_check.py SPARSEFRONTIER [--tokens N] [--only NAME]

SPARSEFRONTIER is the command line (several words where it is started by dotnet). Weights are drawn on the card and saved in a temporary folder (up to 17 GB, TMPDIR).
Exit code 1 where our error, or our largest difference, is more than 1.25 times Transformers' own, or a greedy token differs by more than that explains.
"""
import argparse
import gc
import json
import shlex
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.torch import save_file
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

MOST = 1.25
GREEDY = 16

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--tokens", type=int, default=320)
parser.add_argument("--only")
options = parser.parse_args()
torch.set_grad_enabled(False)
transformers.utils.logging.disable_progress_bar()


def qwen():
    return Qwen2ForCausalLM, Qwen2Config(
        vocab_size=152064, hidden_size=3584, intermediate_size=18944, num_hidden_layers=28, num_attention_heads=28, num_key_value_heads=4,
        max_position_embeddings=32768, rms_norm_eps=1e-6, rope_parameters=dict(rope_type="default", rope_theta=1e6), tie_word_embeddings=False)


def llama():
    return LlamaForCausalLM, LlamaConfig(
        vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8,
        max_position_embeddings=131072, rms_norm_eps=1e-5, tie_word_embeddings=False,
        rope_parameters=dict(rope_type="llama3", rope_theta=5e5, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192))


def gemma():
    return Gemma3ForCausalLM, Gemma3TextConfig(
        vocab_size=262208, hidden_size=2560, intermediate_size=10240, num_hidden_layers=34, num_attention_heads=8, num_key_value_heads=4, head_dim=256,
        max_position_embeddings=131072, sliding_window=1024, query_pre_attn_scalar=256,
        rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1e6), sliding_attention=dict(rope_type="default", rope_theta=1e4)))


# Gemma's prompt is longer than its window.
MODELS = {"Qwen2.5-7B": (qwen, 1), "Llama-3.1-8B": (llama, 1), "Gemma-3-4B": (gemma, 4)}


def free():
    gc.collect()
    torch.cuda.empty_cache()


def build(kind, config, dtype):
    torch.set_default_dtype(dtype)
    try:
        with torch.device("cuda"):
            return kind(config).eval()
    finally:
        torch.set_default_dtype(torch.float32)


def check(name):
    make, factor = MODELS[name]
    kind, config = make()
    torch.manual_seed(1)
    ids = torch.randint(0, 120000, (1, options.tokens * factor), device="cuda")
    model = build(kind, config, torch.bfloat16)
    for parameter in model.parameters():
        if parameter.dim() == 1:
            parameter.add_(0.1 * torch.randn_like(parameter))  # norms and biases are drawn as well
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        print(f"{name}: {sum(p.numel() for p in model.parameters()) / 1e9:.2f} G parameters, drawn and saved", flush=True)
        theirs = model(ids).logits[0].float().cpu()
        weights = model.state_dict()
        exact = build(kind, config, torch.float32)
        exact.load_state_dict(weights)
        del model, weights
        free()
        golden = exact(ids).logits[0]
        tokens = ids
        for _ in range(GREEDY):
            tokens = torch.cat([tokens, exact(tokens, logits_to_keep=1).logits[:, -1].argmax(-1)[:, None]], 1)
        golden = golden.float().cpu().contiguous()
        del exact
        free()
        bf16 = ((theirs - golden).double().square().sum() / golden.double().square().sum()).sqrt().item()
        file = folder + "/golden.safetensors.reference"
        save_file({"input_ids": ids[0].cpu(), "greedy": tokens[0, ids.shape[1]:].cpu().contiguous(), "logits": golden}, file)
        largest = (theirs - golden).abs().max().item()
        run = subprocess.run(shlex.split(options.program) + ["model", "verify", folder, "--golden", file, "--tolerance", str(MOST * largest), "--device", "cuda:0", "--json"], capture_output=True, text=True)
        if not run.stdout.strip():
            print(f"{name}: {run.stderr.strip()}", flush=True)
            return False
        ours = json.loads(run.stdout)
        ours = ours[0] if isinstance(ours, list) else ours
    ratio = ours["RelativeError"] / bf16
    print(f"{name}: {ids.shape[1]} tokens; relative error of all logits against float32: ours {ours['RelativeError']:.3e}, Transformers in bfloat16 {bf16:.3e}, ratio {ratio:.3f}; "
          f"largest difference {ours['MaximumLogitDifference']:.3f} and {largest:.3f} (allowed {ours['Tolerance']:.3f}); greedy {ours['GreedyAgreement']:.1%} of {ours['GreedyTokens']}, "
          f"{ours['GreedyMismatches']} beyond the tolerance", flush=True)
    return ratio <= MOST and ours["Passed"]


print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, Transformers {transformers.__version__}", flush=True)
results = [check(name) for name in MODELS if options.only in (None, name)]
sys.exit(0 if all(results) else 1)
