// Writes golden.json.gz: what @huggingface/jinja renders from the templates of this folder for a table of conversations.
// Usage: npm install --no-save @huggingface/jinja@0.5.11 && node make.mjs, here, after ../../fetch-tokenizers.sh.
// make.py compares the same file with Jinja2 itself and adds what this package cannot render (the folder language/).
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { Template } from "@huggingface/jinja";

// The published templates come with their vocabularies.
for (const name of ["qwen2_5", "llama3_1", "gemma3"]) {
    const file = `../../../artifacts/tokenizers/${name}/tokenizer_config.json`;
    if (existsSync(file)) {
        writeFileSync(`${name}.jinja`, JSON.parse(readFileSync(file, "utf8")).chat_template);
    }
}

const user = (content) => ({ role: "user", content });
const assistant = (content) => ({ role: "assistant", content });
const system = (content) => ({ role: "system", content });
const conversations = [
    [user("Hello")],
    [user("  blanks around \n")],
    [system("Be brief."), user("What is 2 + 2?")],
    [user("Hi"), assistant("Hello!"), user("Who are you?")],
    [system(" rules\n"), user("a"), assistant(" b \n"), user("c"), assistant("d")],
    [user("q"), assistant("<think>\nhm\n</think>\n\nanswer"), user("r")],
    [user("q"), assistant("<think>\nhm\n</think>\n\nanswer")],
    [user("<tool_response>x</tool_response>"), assistant("y")],
    [user("naïve 文字 🙂 <|im_end|> {{ not a tag }} {% nor this %}"), assistant(""), user("line one\nline two\n\n")],
    [assistant("out of turn"), user("x")],
    [user("x"), user("y")],
];

const entries = [];
for (const file of readdirSync(".").filter((name) => name.endsWith(".jinja")).sort()) {
    // The package always defines strftime_now; the engine never does, so that no prompt depends on the day.
    const template = new Template(readFileSync(file, "utf8").replaceAll("strftime_now is defined", "false"));
    for (const messages of conversations) {
        for (const add_generation_prompt of [true, false]) {
            const entry = { template: file, messages, add_generation_prompt };
            try {
                entry.text = template.render({
                    messages, add_generation_prompt, bos_token: "<s>", eos_token: "</s>", tools: null, documents: null,
                });
            } catch (error) {
                entry.error = error.message;
            }
            entries.push(entry);
        }
    }
}

// By the program gzip: what Node's zlib makes differs between its versions.
writeFileSync("golden.json.gz", execFileSync("gzip", ["-9n"], { input: "[\n" + entries.map((entry) => JSON.stringify(entry)).join(",\n") + "\n]\n" }));
