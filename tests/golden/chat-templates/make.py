"""Compares golden.json.gz with Jinja2 itself, set as Transformers sets it, and writes golden-language.json.gz from the templates in language/,
which go beyond @huggingface/jinja. Usage: python3 make.py, here."""
import gzip
import json
import pathlib

import jinja2
import jinja2.ext
import jinja2.sandbox


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


here = pathlib.Path(__file__).parent
environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
environment.globals["raise_exception"] = raise_exception


def render(path, entry):
    template = environment.from_string((here / path).read_text(encoding="utf-8"))
    try:
        return template.render(
            messages=entry["messages"], add_generation_prompt=entry["add_generation_prompt"],
            bos_token="<s>", eos_token="</s>", tools=None, documents=None)
    except jinja2.exceptions.TemplateError:
        return None


different = 0
entries = json.loads(gzip.decompress((here / "golden.json.gz").read_bytes()))
for entry in entries:
    text = render(entry["template"], entry)
    if text != entry.get("text"):
        different += 1
        print(entry["template"], repr(text), repr(entry.get("text", entry.get("error"))), sep="\n  ")
print(f"{len(entries)} entries, {different} different")

lines = []
for path in sorted((here / "language").glob("*.jinja")):
    for entry in entries:
        if entry["template"] == "smollm2-form.jinja":
            template = f"language/{path.name}"
            made = dict(entry, template=template, text=render(template, entry))
            lines.append(json.dumps(made, ensure_ascii=False, separators=(",", ":")))
(here / "golden-language.json.gz").write_bytes(gzip.compress(("[\n" + ",\n".join(lines) + "\n]\n").encode(), 9, mtime=0))
raise SystemExit(different > 0)
