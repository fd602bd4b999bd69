"""Writes the logits that Hugging Face Transformers computes with a model, for `sparsefrontier model verify` and the tests.

    python3 golden.py MODEL_DIRECTORY golden.safetensors

Float32 arithmetic on the stored weights: all logits of 24 tokens, then 24 greedy tokens. Needs PyTorch, Transformers and safetensors.
"""
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

PROMPT, GREEDY = 24, 24


def main():
    model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32, attn_implementation="eager").eval()
    ids = torch.randint(0, 4000, (PROMPT,), generator=torch.Generator().manual_seed(1))
    ids = torch.cat([ids[:PROMPT // 2], ids[:PROMPT // 2]])  # a repetition: attention that copies has something to attend to
    with torch.no_grad():
        logits = model(ids[None]).logits[0]
        greedy = ids[None]
        for _ in range(GREEDY):
            greedy = torch.cat([greedy, model(greedy).logits[:, -1].argmax(-1)[:, None]], 1)
    save_file({"input_ids": ids, "greedy": greedy[0, PROMPT:].contiguous(), "logits": logits.float().contiguous()}, sys.argv[2])


if __name__ == "__main__":
    main()
