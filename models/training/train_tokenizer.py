"""Trains the embedded models' tokenizer: byte-level BPE over text that the engine's own task generators wrote.

    python3 train_tokenizer.py CORPUS.txt OUTPUT_DIRECTORY [--vocabulary 4096]

Needs nothing but Python. The result is a tokenizer.json that Hugging Face tokenizers reads too, and a tokenizer_config.json with the chat
template. Random codes such as "3fk09xq2-..." are never merged: the pre-tokenizer cuts a letter off from its neighbours wherever a digit or a
hyphen stands within a run of lower-case letters beside it, so that a code always has the same tokens, one a character, wherever it stands.
Random names such as "QXZBD" are cut the same everywhere too: capitals in a row into pairs from the left ("QX", "ZB", "D"), each pair a token, and the
blank before them is its own, but the word VAR is one. With one token a letter a model that has found the right name goes on with another that begins alike.
"""
import argparse
import collections
import json
import os
import re
import string

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

# Alternatives in order: the word VAR; the blank before a name in capitals; two capitals of it; its last one; the blank before a code; one character of a
# code; a word with the blank before it; one digit; punctuation; line ends; blanks.
# Look-behinds of each length are listed one by one, since not every regex engine takes variable-length ones.
CODE = "|".join(
    [r"[a-z](?=[a-z]{0,7}[0-9-])"] + [rf"(?<=[0-9-][a-z]{{{n}}})[a-z]" if n else r"(?<=[0-9-])[a-z]" for n in range(8)])
NAME = r"(?<![A-Za-z]) ?VAR(?![A-Za-z])| (?=[A-Z]{2})|[A-Z]{2}|(?<=[A-Z])[A-Z](?![a-z])"
PATTERN = NAME + r"| (?=[a-z]{1,8}[0-9-])|" + CODE + r"| ?[A-Za-z]+|[0-9]|\n+| ?[^A-Za-z0-9\s]| +|\s"

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")


def byte_alphabet():
    """GPT-2's printable stand-ins for the 256 bytes."""
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    mapping, extra = {}, 0
    for byte in range(256):
        if byte in printable:
            mapping[byte] = chr(byte)
        else:
            mapping[byte] = chr(256 + extra)
            extra += 1
    return mapping


def merged(word, pair):
    """The symbols of a word with every occurrence of a pair joined."""
    result, j = [], 0
    while j < len(word):
        if j + 1 < len(word) and (word[j], word[j + 1]) == pair:
            result.append(word[j] + word[j + 1])
            j += 2
        else:
            result.append(word[j])
            j += 1
    return result


def learn(words, alphabet, count):
    """Plain BPE behind all pairs of capitals and VAR: merges the most frequent pair, ties by the pair's text; recounts only the words that a merge touches."""
    symbols = [[alphabet[b] for b in word.encode()] for word in words]
    frequency = list(words.values())
    merges = [(a, b) for a in string.ascii_uppercase for b in string.ascii_uppercase] + [("V", "AR")]
    for i, word in enumerate(symbols):
        for pair in merges:
            if len(word) > 1 and pair[0] in word:
                word = merged(word, pair)
        symbols[i] = word
    pairs, where = collections.Counter(), collections.defaultdict(set)
    for i, word in enumerate(symbols):
        for pair in zip(word, word[1:]):
            pairs[pair] += frequency[i]
            where[pair].add(i)
    while len(merges) < count:
        pair, n = max(pairs.items(), key=lambda item: (item[1], item[0]), default=(None, 0))
        if n < 3:
            break
        merges.append(pair)
        for i in list(where[pair]):
            word = symbols[i]
            for old in zip(word, word[1:]):
                pairs[old] -= frequency[i]
            symbols[i] = merged(word, pair)
            for new in zip(symbols[i], symbols[i][1:]):
                pairs[new] += frequency[i]
                where[new].add(i)
        del pairs[pair]
    return merges


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", help="text file, or '-' for a tokenizer without merges (to generate a first corpus with)")
    parser.add_argument("output")
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--context", type=int, default=8192)
    options = parser.parse_args()

    alphabet = byte_alphabet()
    text = "" if options.corpus == "-" else open(options.corpus, encoding="utf-8").read()
    words = collections.Counter(match.group() for match in re.finditer(PATTERN, text))
    vocabulary = [alphabet[b] for b in range(256)]
    merges = learn(words, alphabet, options.vocabulary - len(vocabulary) - len(SPECIAL))
    vocabulary += ["".join(pair) for pair in merges]
    os.makedirs(options.output, exist_ok=True)

    added = [
        {"id": len(vocabulary) + i, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for i, token in enumerate(SPECIAL)]
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {token: i for i, token in enumerate(vocabulary)}, "merges": [" ".join(pair) for pair in merges]}}
    with open(os.path.join(options.output, "tokenizer.json"), "w", encoding="utf-8", newline="\n") as file:
        json.dump(tokenizer, file, ensure_ascii=False, separators=(",", ":"))
    configuration = {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": options.context, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
        "chat_template": TEMPLATE}
    with open(os.path.join(options.output, "tokenizer_config.json"), "w", encoding="utf-8", newline="\n") as file:
        json.dump(configuration, file, ensure_ascii=False, indent=1)
    print(f"{len(vocabulary) + len(SPECIAL)} tokens, {len(merges)} merges")


if __name__ == "__main__":
    main()
