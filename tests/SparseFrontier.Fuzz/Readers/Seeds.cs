using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using SparseFrontier.Experiments;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Models.Tokenizers;
using SparseFrontier.Tensors;

namespace SparseFrontier.Fuzz.Readers;

/// <summary>Small valid files to begin with.</summary>
internal static class Seeds
{
    /// <summary>What chat templates render.</summary>
    public static IReadOnlyList<ChatMessage> Conversation { get; } =
    [
        new("user", "What is in the box? <b>&amp;</b>"), new("assistant", "A \"red\" ball\nand a key"), new("user", "  And now?  "),
    ];

    public static byte[] Tensors() => Write(w =>
    {
        w.AddMetadata("format", "pt");
        w.Add("a", [2, 3], [1f, 2, 3, 4, 5, 6]);
        w.Add("b", [4], [1, 2, 3, 4]);
    });

    public static byte[] MixedTensors() => Write(w =>
    {
        w.Add("half", DataType.F16, [2], new byte[4]);
        w.Add("brain", DataType.BF16, [1, 2], new byte[4]);
        w.Add("long", [1], [7L]);
        w.Add("bytes", [3], (ReadOnlySpan<byte>)[1, 2, 3]);
        w.Add("double", DataType.F64, [], new byte[8]);
        w.Add("empty", DataType.F32, [0, 5], []);
    });

    public static byte[] Shard(params string[] names) => Write(w => Array.ForEach(names, n => w.Add(n, [2], [1f, 2])));

    public static byte[] Trace(bool next) => Write(w =>
    {
        Add("q", 4, 6);
        Add("k", 2, 6);
        Add("v", 2, 6);
        if (next)
        {
            Add("next_q", 4, 2);
            Add("next_k", 2, 2);
            Add("next_v", 2, 2);
            foreach ((string name, string value) in (ReadOnlySpan<(string, string)>)[("model", "tiny"), ("task", "Niah"), ("sequence_length", "6"), ("sample", "3"), ("seed", "43"), ("layer", "1"), ("scale", "0.5"), ("sample_seed", "-7"), ("cache_type", "BF16")])
            {
                w.AddMetadata(name, value);
            }
        }

        void Add(string name, int heads, int rows) => w.Add(name, [heads, rows, 4], [.. Enumerable.Range(0, heads * rows * 4).Select(i => i % 7 / 7f)]);
    });

    public static byte[] TinyConfiguration() =>
        """{"model_type":"llama","hidden_size":16,"intermediate_size":16,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":8,"num_hidden_layers":1,"vocab_size":12,"max_position_embeddings":64,"rope_theta":10000.0,"rms_norm_eps":1e-5,"tie_word_embeddings":true,"eos_token_id":1}"""u8.ToArray();

    public static byte[] TinyWeights() => Write(w =>
    {
        Add("model.embed_tokens.weight", 12, 16);
        Add("model.norm.weight", 16);
        const string layer = "model.layers.0.";
        Add(layer + "input_layernorm.weight", 16);
        Add(layer + "post_attention_layernorm.weight", 16);
        Add(layer + "self_attn.q_proj.weight", 16, 16);
        Add(layer + "self_attn.k_proj.weight", 8, 16);
        Add(layer + "self_attn.v_proj.weight", 8, 16);
        Add(layer + "self_attn.o_proj.weight", 16, 16);
        Add(layer + "mlp.gate_proj.weight", 16, 16);
        Add(layer + "mlp.up_proj.weight", 16, 16);
        Add(layer + "mlp.down_proj.weight", 16, 16);

        void Add(string name, params long[] shape) => w.Add(name, shape, [.. Enumerable.Range(0, (int)shape.Aggregate((a, b) => a * b)).Select(i => ((i * 7 % 13) - 6) / 13f)]);
    });

    /// <summary>Tokenizers of the kinds that published checkpoints have, with a few tokens each.</summary>
    public static byte[][] Tokenizers()
    {
        string bytes = Vocabulary("!", "\"", "'", ",", "1", "2", "3", "4", "<", ">", "/", "H", "e", "l", "o", "w", "r", "d", "i", "t", "s", "a", "b", "n", "v", "Ġ", "Ċ", "ĉ", "Ã", "¯", "ll", "lo", "ab", "Ġa", "Ġab", "abab");
        string spaces = Vocabulary("<unk>", "<s>", "</s>", "<0x00>", "<0x0A>", "<0xE6>", "<0xF0>", "▁", "H", "e", "l", "o", "w", "r", "d", "a", "b", "▁a", "ab", "▁ab");
        return
        [
            .. new[]
            {
                """{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{"id":36,"content":"<s>","single_word":false,"lstrip":true,"rstrip":false,"normalized":false,"special":true}],"normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(?i:'s|'t)|\\p{L}+|\\p{N}{1,3}|[^\\s\\p{L}]+|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[36],"tokens":["<s>"]}}},"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":"","end_of_word_suffix":"","fuse_unk":false,"byte_fallback":false,"ignore_merges":true,"vocab":@bytes,"merges":["l l",["l","o"],"a b","Ġ a","Ġa b","ab ab"]}}""",
                """{"added_tokens":[{"id":1,"content":"<s>","special":true},{"id":2,"content":"</s>","special":true,"rstrip":true}],"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"},{"type":"Lowercase"},{"type":"Strip","strip_left":true,"strip_right":true}]},"pre_tokenizer":null,"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},"model":{"type":"BPE","unk_token":"<unk>","fuse_unk":true,"byte_fallback":true,"vocab":@spaces,"merges":["▁ a","a b","▁a b"]}}""",
                """{"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true},{"type":"Digits","individual_digits":true},{"type":"Punctuation","behavior":"MergedWithPrevious"},{"type":"WhitespaceSplit"},{"type":"Whitespace"}]},"decoder":{"type":"Metaspace","replacement":"▁","add_prefix_space":true},"model":{"type":"BPE","unk_token":"<unk>","vocab":@spaces,"merges":[]}}""",
                """{"normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"NFD"},{"type":"Replace","pattern":{"Regex":"\\s+"},"content":" "}]},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true,"use_regex":true},"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":@bytes,"merges":["a b"]}}""",
            }.Select(t => Encoding.UTF8.GetBytes(t.Replace("@bytes", bytes, StringComparison.Ordinal).Replace("@spaces", spaces, StringComparison.Ordinal))),
        ];
    }

    /// <summary>Templates that use all that is supported.</summary>
    public static string[] Templates() =>
    [
        "{% set ns = namespace(a=0, l=[]) %}{% macro f(x, y=2) %}{{ x * y }}{% endmacro %}{% for m in messages if m.role != 'x' %}{{ loop.index ~ f(loop.index0) }}{% set ns.a = ns.a + 1 %}{% set ns.l = ns.l + [m.content] %}{% else %}none{% endfor %}{{ ns.l | tojson(indent=2) }}",
        "{{ messages[::-1] | map(attribute='content') | join(', ') | upper }}{{ range(1, 9, 2) | list | length }}{{ 'a,b,c'.split(',', 1) }}{{ 7 // 2 % 3 ** 2 - -1.5 / 2 }}{{ 'x' * 3 }}{{ messages[0]['content'][1:4:1] }}",
        "{%- for m in messages -%}{%- if loop.first and m.role == 'system' -%}{{ raise_exception('no') }}{%- elif m.content is string and 'box' in m.content -%}{{ m.content | replace('box', 'cat') | title }}{%- elif not loop.last -%}{{ (m | items | list)[0][1] if m is mapping else none }}{%- else -%}{% break %}{%- endif -%}{%- endfor -%}{{ {'a': [1, {'b': none}], 'c': true} | tojson }}",
        "{% set a, b = [1, 2] %}{% set t %}{{ a }}{% endset %}{{ t | int + b }}{{ undefined_name | default('d', true) }}{{ messages | selectattr('role', 'equalto', 'user') | list | length }}{{ 'abc'.find('c') }}{{ ' x '.strip() }}{{ 'abc' | reverse }}{{ [3, 1][-1] }}{{ 'a' < 'b' <= 'c' }}{{ messages[0].items() | list | length }}",
    ];

    /// <summary>The files of a run with its samples, as they are written.</summary>
    public static (byte[] Specification, byte[] Summary, byte[] Environment, byte[] State, byte[] Samples) Run(string id, string method, double? sparsity)
    {
        var identity = new JsonObject { ["IdentityVersion"] = 2, ["Checkpoint"] = "c", ["Task"] = "Niah", ["TaskVersion"] = 1, ["SequenceLength"] = 1024, ["Seed"] = 43 };
        var stored = new StoredSpecification
        {
            RunId = id,
            ModuleVersion = "0.1.0",
            CreatedAt = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
            CacheType = "F32",
            Specification = new RunSpecification { Model = "frontier-3m", Method = method, Sparsity = sparsity, Task = "Niah", TaskParameters = "KeyGroups=1;Queries=1", SequenceLength = 1024, SampleCount = 3 },
            Identity = identity,
        };
        SampleResult[] samples =
        [
            .. Enumerable.Range(0, 3).Select(i => new SampleResult
            {
                RunId = id,
                Index = i,
                Score = i == 1 ? 0 : 1,
                FormatFailure = i == 1 ? "NoAnswer" : null,
                GoldJson = "{\"answers\":[[\"a\",\"1\"]]}",
                Output = $"answer {i}",
                OutputTokens = "1,2,3",
                OutputTokenCount = 3,
                PromptTokens = 1000 + i,
                PrefillSparsity = sparsity ?? 0,
                DecodeSparsity = 0,
                CacheSparsity = 0,
                ElapsedSeconds = 0.5,
                PrefillSeconds = 0.25,
                DecodeSeconds = 0.25,
                Device = "cpu",
            }),
        ];
        SparseAttentionResult row = RunSummary.Create(stored, samples, RunStatus.Completed);
        var environment = new StoredEnvironment { Attempts = [new StoredAttempt { Samples = "samples-0001.jsonl", Host = "host", ProcessId = 12, Device = "cpu", ProcessorCount = 2 }] };
        return (
            JsonSerializer.SerializeToUtf8Bytes(stored, StoreJson.File),
            JsonSerializer.SerializeToUtf8Bytes(row, StoreJson.File),
            JsonSerializer.SerializeToUtf8Bytes(environment, StoreJson.File),
            JsonSerializer.SerializeToUtf8Bytes(new StoredState { Status = RunStatus.Failed, Message = "no memory" }, StoreJson.File),
            Lines(samples));
    }

    /// <summary>Values as JSON lines.</summary>
    public static byte[] Lines<T>(IEnumerable<T> values) => [.. values.SelectMany(v => (byte[])[.. JsonSerializer.SerializeToUtf8Bytes(v, StoreJson.Line), (byte)'\n'])];

    /// <summary>The files below a folder that a function fills.</summary>
    public static IReadOnlyDictionary<string, byte[]> FilesOf(Action<string> fill)
    {
        string folder = Directory.CreateTempSubdirectory("sparsefrontier-").FullName;
        try
        {
            fill(folder);
            return Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToDictionary(f => Path.GetRelativePath(folder, f), File.ReadAllBytes);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Vocabulary(params string[] tokens) =>
        new JsonObject(tokens.Select((t, i) => new KeyValuePair<string, JsonNode?>(t, i))).ToJsonString(new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    private static byte[] Write(Action<SafetensorsWriter> fill) => FilesOf(folder =>
    {
        var writer = new SafetensorsWriter();
        fill(writer);
        writer.Write(Path.Combine(folder, "f.safetensors"));
    }).Values.Single();
}
