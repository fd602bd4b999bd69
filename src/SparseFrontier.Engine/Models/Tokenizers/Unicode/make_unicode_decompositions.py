"""Writes unicode_decompositions.txt from the Unicode data that comes with Python (the version is in the first line).

D: canonical decomposition that composes back; X: canonical, excluded from composition; K: compatibility; C: combining class of a range.
"""
import pathlib
import unicodedata

lines = [f"# Unicode {unicodedata.unidata_version}; written by make_unicode_decompositions.py"]
classes = []
for code in range(0x110000):
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
pathlib.Path(__file__).with_name("unicode_decompositions.txt").write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
