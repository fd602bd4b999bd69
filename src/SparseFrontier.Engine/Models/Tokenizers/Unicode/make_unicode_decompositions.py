"""Writes unicode_decompositions.txt.br from the Unicode data that comes with Python (14.0), less what came after Unicode 9.0: the tokenizers
library's tables are of that version (found by comparison with it over all code points), and its tokens are what models were trained on.

D: canonical decomposition that composes back; X: canonical, excluded from composition; K: compatibility; C: combining class of a range. Needs the program brotli.
"""
import pathlib
import subprocess
import unicodedata

NEWER = """7FD 898-89F 8CA-8D3 9FE C3C D3B-D3C EBA 1715 1ABF-1ACE 1DF6-1DFA 32FF A7F2-A7F4 A82C AB69 10781-10785 10787-107B0 107B2-107BA
10D24-10D27 10EAB-10EAC 10F46-10F50 10F82-10F85 11070 1133B 1145E 11839-1183A 11938 1193D-1193E 11943 119E0 11A34 11A47 11A99 11D42
11D44-11D45 11D97 16FF0-16FF1 1E130-1E136 1E2AE 1E2EC-1E2EF 1F16C 1FBF0-1FBF9"""
newer = set()
for item in NEWER.split():
    first, _, last = item.partition("-")
    newer.update(range(int(first, 16), int(last or first, 16) + 1))

assert unicodedata.unidata_version == "14.0.0", "the list above is that of Unicode 14.0"
lines = ["# Unicode 9.0; written by make_unicode_decompositions.py"]
classes = []
for code in range(0x110000):
    if code in newer:
        continue
    character = chr(code)
    combining = unicodedata.combining(character)
    if combining:
        if classes and classes[-1][1] == code - 1 and classes[-1][2] == combining:
            classes[-1][1] = code
        else:
            classes.append([code, code, combining])
    parts = unicodedata.decomposition(character).split()
    if not parts:
        continue
    if parts[0].startswith("<"):
        kind, parts = "K", parts[1:]
    else:
        kind = "D" if unicodedata.normalize("NFC", character) == character else "X"
    lines.append(" ".join([kind, f"{code:X}"] + [f"{int(part, 16):X}" for part in parts]))
lines += [f"C {first:X} {last:X} {combining}" for first, last, combining in classes]
target = pathlib.Path(__file__).with_name("unicode_decompositions.txt.br")
subprocess.run(["brotli", "-fq", "11", "-w", "24", "-o", target, "-"], input=("\n".join(lines) + "\n").encode("ascii"), check=True)
