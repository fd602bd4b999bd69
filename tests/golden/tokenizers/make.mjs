// Writes golden.json.br: small tokenizer.json files, one for each component and option, with what Hugging Face's tokenizers library gives;
// and normalization.json: hashes of all code points in the four normalization forms.
// Usage: npm install --no-save tokenizers@0.23.2 && node make.mjs, here.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

const tokenizers = createRequire(import.meta.url)("tokenizers");
const { Tokenizer } = tokenizers;

let state = 20240726;
const random = (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * bound);
};
const pick = (items) => items[random(items.length)];

// Unknown characters of one piece become one token, those of the next another: the ids show the pieces.
const pieces = { type: "BPE", unk_token: "?", fuse_unk: true, vocab: { "?": 0, a: 1, 1: 2, " ": 3, "▁": 4, "Ġ": 5, ".": 6, aa: 7 }, merges: ["a a"] };
const alphabet = [];
for (let b = 0, extra = 0; b < 256; b++) {
    const printable = (b > 32 && b < 127) || (b > 160 && b !== 173);
    alphabet.push(String.fromCodePoint(printable ? b : 256 + extra++));
}
const bytes = { type: "BPE", vocab: Object.fromEntries(alphabet.map((c, b) => [c, b])), merges: [] };
const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };

const plain = ["a", "b", "aa", "1", "23", " ", "  ", "\n", "\t", ".", ",", "_", "-", "'s", "'LL", "The", "hello", "xyzzy", "A", "É", "é", "ſ", "▁"];
const unicode = ["🙂", "𝕏", "𐐀", "𝟘", "文", "字", "ひ", "ก", "ำ", "कि", "ß", "İ", "²", "Ⅷ", "٣", "\u00a0", "\u3000", "\u200d", "e\u0301", "\u212b", "ﬁ", "각", "\u1100\u1161", "\u{20000}"];
const texts = (parts, count) => ["", " ", "a", ...Array.from({ length: count }, () =>
    Array.from({ length: 1 + random(9) }, () => pick(parts)).join(""))];

const configurations = [];
const add = (name, tokenizer, parts = [...plain, ...plain, ...unicode], count = 7) =>
    configurations.push({ name, tokenizer: { version: "1.0", added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, model: pieces, ...tokenizer }, parts, count });
const split = (pattern, behavior, invert = false) => ({ type: "Split", pattern, behavior, invert });

for (const behavior of ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]) {
    for (const invert of [false, true]) {
        add(`split at a string, ${behavior}, invert ${invert}`, { pre_tokenizer: split({ String: "a" }, behavior, invert) });
        add(`split at a regex, ${behavior}, invert ${invert}`, { pre_tokenizer: split({ Regex: "\\d+|[b-z]" }, behavior, invert) });
    }
    add(`punctuation, ${behavior}`, { pre_tokenizer: { type: "Punctuation", behavior } });
}

const patterns = {
    "cased words": "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "GPT-2": "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    "Llama 3": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "groups of a word": "(?<=[0-9a-f])(?=[A-Z])|(?<=[a-z])\\.|[0-9]{1,2}(?=[a-z])|(?<![a-z])[a-z]{1,4}",
    "word characters": "\\w+|[^\\w\\s]+",
    "word boundaries": "\\b[a-z]+\\b|\\B.",
    "ignoring case": "(?i:s|k|é)+|(?i)the",
    "hexadecimal digits": "\\h+|[\\h_]{,2}",
    "lines": "^.|.$",
    "ranges": "[一-龥぀-ゟ]+|[\\u0e00-\\u0e7f]|[\\x{e9}a-c\\-_]+",
    "other classes": "[\\p{So}\\p{Mn}]|\\P{L}\\p{Nd}|[^\\p{Lo}\\S]",
    "groups": "(a|b(?:c)?)+|(?>1+)2?|(?<word>he)l*",
};
for (const [name, Regex] of Object.entries(patterns)) {
    add(`regex: ${name}`, { pre_tokenizer: split({ Regex }, "Isolated") }, undefined, 11);
}

for (const add_prefix_space of [false, true]) {
    for (const use_regex of [false, true]) {
        add(`byte level, prefix space ${add_prefix_space}, regex ${use_regex}`, { pre_tokenizer: { type: "ByteLevel", add_prefix_space, trim_offsets: true, use_regex }, decoder: byteLevel });
    }
}
for (const individual_digits of [false, true]) {
    add(`digits, individual ${individual_digits}`, { pre_tokenizer: { type: "Digits", individual_digits } });
}
for (const prepend_scheme of ["always", "first", "never"]) {
    for (const doSplit of [false, true]) {
        const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme, split: doSplit };
        add(`metaspace ${prepend_scheme}, split ${doSplit}`, { pre_tokenizer: metaspace, decoder: metaspace, added_tokens: [{ id: 8, content: "xyzzy", single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }] }, plain);
    }
}
const olderMetaspace = { type: "Metaspace", replacement: "▁", add_prefix_space: true };
add("metaspace of older files", { pre_tokenizer: olderMetaspace, decoder: olderMetaspace }, plain);
add("metaspace after digits", { pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Digits", individual_digits: true }, { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: true }] } }, plain);
add("whitespace", { pre_tokenizer: { type: "Whitespace" } });
add("whitespace split", { pre_tokenizer: { type: "WhitespaceSplit" } });
add("whitespace, then punctuation", { pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, { type: "Punctuation", behavior: "Isolated" }] } });
add("digits, then byte level", { pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Digits", individual_digits: true }, { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true }] }, model: bytes, decoder: byteLevel });
add("byte level, then a split", { pre_tokenizer: { type: "Sequence", pretokenizers: [{ ...byteLevel }, split({ Regex: "Ġ" }, "MergedWithNext")] } });

const normalizers = {
    NFC: { type: "NFC" }, NFD: { type: "NFD" }, NFKC: { type: "NFKC" }, NFKD: { type: "NFKD" },
    lowercase: { type: "Lowercase" },
    "strip left": { type: "Strip", strip_left: true, strip_right: false },
    "strip right": { type: "Strip", strip_left: false, strip_right: true },
    "strip both": { type: "Strip", strip_left: true, strip_right: true },
    prepend: { type: "Prepend", prepend: "▁" },
    "replace a string": { type: "Replace", pattern: { String: "aa" }, content: "é" },
    "replace a regex": { type: "Replace", pattern: { Regex: "\\s{2,}|\\p{So}" }, content: "" },
    sequence: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }, { type: "Replace", pattern: { String: " " }, content: "▁" }, { type: "NFKC" }] },
};
for (const [name, normalizer] of Object.entries(normalizers)) {
    add(`normalizer: ${name}`, { normalizer, pre_tokenizer: byteLevel, decoder: byteLevel, model: bytes });
}

const token = (id, content, options = {}) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: false, ...options });
const words = ["<s>", "<s", "<s>>", "The", "the", "THE", "end", " ", "  ", "\n", "a", "é", "É", "_", "1", "文", "🙂", "a 1", "▁"];
const addedVariants = {
    special: [token(256, "<s>", { special: true }), token(257, "The"), token(258, "<s>>", { special: true }), token(259, "a 1")],
    "left strip": [token(256, "<s>", { lstrip: true }), token(257, "The", { lstrip: true })],
    "right strip": [token(256, "<s>", { rstrip: true }), token(257, "The", { rstrip: true, special: true })],
    "single word": [token(256, "end", { single_word: true }), token(257, "é", { single_word: true }), token(258, "文", { single_word: true, lstrip: true })],
    "both strips": [token(256, "<s>", { lstrip: true, rstrip: true }), token(257, "end", { lstrip: true, rstrip: true, single_word: true })],
};
for (const [name, added_tokens] of Object.entries(addedVariants)) {
    add(`added tokens: ${name}`, { added_tokens, pre_tokenizer: byteLevel, decoder: byteLevel, model: bytes }, words, 11);
    const normalized = added_tokens.map((entry) => ({ ...entry, normalized: true }));
    add(`added tokens in lower-case text: ${name}`, { added_tokens: normalized, normalizer: { type: "Lowercase" }, pre_tokenizer: byteLevel, decoder: byteLevel, model: bytes }, words, 11);
}

const template = (single) => ({ type: "TemplateProcessing", single, pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }], special_tokens: { "<s>": { id: "<s>", ids: [256], tokens: ["<s>"] }, "</s>": { id: "</s>", ids: [257, 258], tokens: ["</s>", "x"] } } });
const special = (id) => ({ SpecialToken: { id, type_id: 0 } });
const text = { Sequence: { id: "A", type_id: 0 } };
const marks = [token(256, "<s>", { special: true }), token(257, "</s>", { special: true }), token(258, "<x>", { special: true })];
add("template with both ends", { added_tokens: marks, pre_tokenizer: byteLevel, decoder: byteLevel, model: bytes, post_processor: template([special("<s>"), text, special("</s>")]) }, plain);
add("a template after byte level", { added_tokens: marks, pre_tokenizer: byteLevel, decoder: byteLevel, model: bytes, post_processor: { type: "Sequence", processors: [byteLevel, template([special("<s>"), text])] } }, plain);

const fallback = Object.fromEntries(["<unk>", "▁", "a", "b", "1", "▁a", "aa", "ab", "aab", "é", ...Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`)].map((content, id) => [content, id]));
const merges = ["▁ a", "a a", "a b", "a ab", "aa b"];
const fallbackModel = { type: "BPE", unk_token: "<unk>", fuse_unk: true, byte_fallback: true, vocab: fallback, merges };
const llama2 = { normalizer: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }, { type: "Replace", pattern: { String: " " }, content: "▁" }] }, decoder: { type: "Sequence", decoders: [{ type: "Replace", pattern: { String: "▁" }, content: " " }, { type: "ByteFallback" }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }] } };
add("byte fallback", { model: fallbackModel, ...llama2 }, undefined, 11);
add("byte fallback, normalized added token", { model: fallbackModel, ...llama2, added_tokens: [token(300, "aab", { normalized: true }), token(301, "<s>", { special: true })] }, [...words, "aab"], 11);
const { "<0xC3>": _, "<0xF0>": __, ...partial } = fallback;
add("byte fallback with bytes missing", { model: { ...fallbackModel, vocab: partial, fuse_unk: false } }, undefined, 11);
add("byte fallback with bytes missing, fused", { model: { ...fallbackModel, vocab: partial }, decoder: { type: "Sequence", decoders: [{ type: "ByteFallback" }, { type: "Strip", content: "a", start: 0, stop: 1 }, { type: "Replace", pattern: { Regex: "[1b]" }, content: "<>" }] } }, undefined, 11);
add("unknown, not fused", { model: { ...pieces, fuse_unk: false } });
add("no unknown token", { model: { ...pieces, unk_token: null } });
const shortcuts = { type: "BPE", vocab: { a: 0, b: 1, ab: 2, aab: 3, bb: 4, aabb: 5, "🙂": 6, "🙂a": 7, abab: 8 }, merges: [["a", "b"], ["b", "b"], ["🙂", "a"], ["ab", "ab"]] };
const letters = ["a", "b", "aab", "aabb", "🙂", "abab", "aabb".repeat(12), " "];
for (const ignore_merges of [false, true]) {
    add(`ignore merges ${ignore_merges}`, { model: { ...shortcuts, ignore_merges }, pre_tokenizer: { type: "WhitespaceSplit" } }, letters, 11);
}

const output = [];
for (const { name, tokenizer, parts, count } of configurations) {
    const library = Tokenizer.fromString(JSON.stringify(tokenizer));
    // From 0.23 on the library decodes an added token to its normalized form; the engine gives the token, as earlier versions do.
    const decodes = !(tokenizer.normalizer && tokenizer.added_tokens.some((entry) => entry.normalized));
    const entries = [];
    for (const text of texts(parts, count)) {
        const ids = (await library.encode(text, null, { addSpecialTokens: false })).getIds();
        const special = (await library.encode(text)).getIds();
        entries.push([text, ids, special, decodes ? await library.decode(special, false) : null, decodes ? await library.decode(special, true) : null]);
    }
    const model = tokenizer.model === bytes ? "bytes" : tokenizer.model;
    output.push({ name, tokenizer: { ...tokenizer, model }, entries });
}
writeFileSync("golden.json.br", brotliCompressSync("[\n" + output.map((entry) => JSON.stringify(entry)).join(",\n") + "\n]\n", { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } }));

// Every code point between others that it may join or be ordered with, in each form: one hash each.
const hashes = {};
for (const form of ["nfc", "nfd", "nfkc", "nfkd"]) {
    const normalizer = tokenizers[`${form}Normalizer`]();
    let all = "";
    for (let code = 1; code < 0xe0200; code = code === 0xd7ff ? 0xe000 : code === 0x323ff ? 0xe0000 : code + 1) {
        const character = String.fromCodePoint(code);
        all += normalizer.normalizeString(`a${character}\u0345\u0334.${character}\u0301,\u1100${character}\u11a8`);
    }
    hashes[form.toUpperCase()] = createHash("sha256").update(all, "utf8").digest("hex");
}
writeFileSync("normalization.json", JSON.stringify(hashes) + "\n");
