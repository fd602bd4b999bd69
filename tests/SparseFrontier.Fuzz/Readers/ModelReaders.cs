using System.Text;
using SparseFrontier.Experiments;
using SparseFrontier.Fuzz.Mutation;
using SparseFrontier.Kernels;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Models.Tokenizers;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tensors;

namespace SparseFrontier.Fuzz.Readers;

/// <summary>Safetensors files, and the elements of every tensor.</summary>
internal sealed class SafetensorsReader : FuzzReader
{
    private const string FileName = "model.safetensors";

    public override string Name => "safetensors";

    public override IReadOnlyList<FuzzFile> Files { get; } = [new(FileName, FuzzFormat.Safetensors, Seeds.Tensors(), Seeds.MixedTensors())];

    public override int Read(string input, string output)
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(input, FileName));
        int outcome = HashCode.Combine(Magnitude(file.Tensors.Count), file.Metadata.Count > 0);
        foreach (SafetensorsTensor tensor in file.Tensors.Values)
        {
            long count = tensor.DataType is DataType.F32 or DataType.F16 or DataType.BF16 or DataType.F64 ? tensor.ToSingles().Length : tensor.ToIntegers().Length;
            outcome = HashCode.Combine(outcome, tensor.DataType, tensor.Shape.Count, Magnitude(count));
        }

        return outcome;
    }
}

/// <summary>An index with its shards.</summary>
internal sealed class SafetensorsIndexReader : FuzzReader
{
    public override string Name => "safetensors-index";

    public override IReadOnlyList<FuzzFile> Files { get; } =
    [
        new("model.safetensors.index.json", FuzzFormat.Json, """{"metadata":{"total_size":24},"weight_map":{"a":"model-1.safetensors","b":"model-1.safetensors","c":"model-2.safetensors"}}"""u8.ToArray()),
        new("model-1.safetensors", FuzzFormat.Safetensors, Seeds.Shard("a", "b")),
        new("model-2.safetensors", FuzzFormat.Safetensors, Seeds.Shard("c")),
    ];

    public override int Read(string input, string output)
    {
        using var checkpoint = SafetensorsCheckpoint.Open(input);
        return Magnitude(checkpoint.Tensors.Values.Sum(t => t.ToSingles().Length));
    }
}

/// <summary>config.json and generation_config.json of every family.</summary>
internal sealed class ConfigurationReader(string golden) : FuzzReader
{
    public override string Name => "configuration";

    public override IReadOnlyList<FuzzFile> Files { get; } =
    [
        new(
            "config.json",
            FuzzFormat.Json,
            [
                .. Directory.GetDirectories(Path.Combine(golden, "checkpoints")).Order(StringComparer.Ordinal).Select(d => File.ReadAllBytes(Path.Combine(d, "config.json"))),
                """{"model_type":"llama","hidden_size":64,"intermediate_size":128,"num_attention_heads":4,"num_key_value_heads":2,"num_hidden_layers":3,"vocab_size":96,"max_position_embeddings":131072,"rope_theta":500000.0,"rms_norm_eps":1e-5,"hidden_act":"silu","attention_bias":false,"mlp_bias":true,"tie_word_embeddings":true,"eos_token_id":[1,2],"rope_scaling":{"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192,"rope_type":"llama3"}}"""u8.ToArray(),
                """{"model_type":"qwen2","hidden_size":64,"intermediate_size":128,"num_attention_heads":4,"num_key_value_heads":2,"num_hidden_layers":3,"vocab_size":96,"max_position_embeddings":32768,"sliding_window":4096,"use_sliding_window":true,"max_window_layers":2,"rope_scaling":{"type":"yarn","factor":4.0,"original_max_position_embeddings":32768,"beta_fast":32,"beta_slow":1,"mscale":1.0,"mscale_all_dim":0.7,"truncate":false}}"""u8.ToArray(),
                """{"model_type":"mistral","hidden_size":64,"intermediate_size":128,"num_attention_heads":8,"head_dim":16,"num_hidden_layers":2,"vocab_size":96,"sliding_window":1024,"layer_types":["full_attention","sliding_attention"]}"""u8.ToArray(),
            ]),
        new("generation_config.json", FuzzFormat.Json, """{"eos_token_id":[1,7],"do_sample":false,"temperature":null}"""u8.ToArray(), """{"eos_token_id":3}"""u8.ToArray()),
    ];

    public override int Read(string input, string output)
    {
        ModelConfiguration c = ModelConfiguration.Load(input);
        return HashCode.Combine(HashCode.Combine(c.Family.Length, c.ExtendsByYarn, c.TiedEmbeddings, c.Rotary.Scaling, c.QueryKeyValueBias, c.FeedForwardBias, c.Activation), Magnitude(c.LayerCount), c.StopTokens.Count, Magnitude(c.ContextLength), c.GlobalLayerCount == c.LayerCount);
    }
}

/// <summary>A whole checkpoint, and a prompt through it where its files go together.</summary>
internal sealed class CheckpointReader : FuzzReader
{
    public override string Name => "checkpoint";

    public override IReadOnlyList<FuzzFile> Files { get; } =
    [
        new("config.json", FuzzFormat.Json, Seeds.TinyConfiguration()),
        new("model.safetensors", FuzzFormat.Safetensors, Seeds.TinyWeights()),
    ];

    // A forward has work space of fixed size.
    public override int BytesAtLeast => 16 << 20;

    public override double Weight => 0.02;

    public override int Read(string input, string output)
    {
        using var model = TransformerModel.Load(input);
        using PromptState state = model.Prefill([1, 2, 3, 4, 5], new PrefillRequest());
        return HashCode.Combine(model.Configuration.Rotary.Scaling, model.Configuration.StopTokens.Count, Magnitude(model.ParameterCount), model.Weights.Embedding.DataType);
    }
}

/// <summary>tokenizer.json, and a text to token ids and back.</summary>
internal sealed class TokenizerFileReader : FuzzReader
{
    private const string Text = "Hello  world, it's 1234 <s>naïve</s>\n\t日本 \U0001F600!  ab abab";

    public override string Name => "tokenizer";

    public override IReadOnlyList<FuzzFile> Files { get; } = [new("tokenizer.json", FuzzFormat.Json, Seeds.Tokenizers())];

    // Compiled patterns and a table for every character take the same however short the file is.
    public override int BytesAtLeast => 4 << 20;

    public override double Weight => 0.2;

    public override int Read(string input, string output)
    {
        Tokenizer tokenizer = Tokenizer.Load(Path.Combine(input, "tokenizer.json"));
        int[] ids = tokenizer.Encode(Text, addSpecialTokens: true);
        string back = tokenizer.Decode(ids);
        return HashCode.Combine(Magnitude(ids.Length), Magnitude(back.Length), back == Text, Magnitude(tokenizer.VocabularySize));
    }
}

/// <summary>chat_template.jinja, and a conversation through it.</summary>
internal sealed class ChatTemplateReader(string golden) : FuzzReader
{
    public override string Name => "chat-template";

    public override IReadOnlyList<FuzzFile> Files { get; } =
    [
        new(
            "chat_template.jinja",
            FuzzFormat.Text,
            [
                .. Directory.GetFiles(Path.Combine(golden, "chat-templates"), "*.jinja", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Where(f => Renders(File.ReadAllText(f))).Select(File.ReadAllBytes),
                .. Seeds.Templates().Select(Encoding.UTF8.GetBytes),
            ]),
    ];

    public override double Weight => 0.3;

    // The work that one conversation may cause is bounded, not proportional to the template.
    public override int BytesAtLeast => 64 << 20;

    public override int Read(string input, string output) => Magnitude(ChatTemplate.Load(input)!.Render(Seeds.Conversation).Length);

    // Some golden templates want another conversation.
    private static bool Renders(string template)
    {
        string folder = Directory.CreateTempSubdirectory("sparsefrontier-").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), template);
            ChatTemplate.Load(folder)!.Render(Seeds.Conversation);
            return true;
        }
        catch (SparseFrontierException)
        {
            return false;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}

/// <summary>tokenizer_config.json and chat_template.json.</summary>
internal sealed class TokenizerConfigurationReader : FuzzReader
{
    public override string Name => "tokenizer-configuration";

    public override IReadOnlyList<FuzzFile> Files { get; } =
    [
        new(
            "tokenizer_config.json",
            FuzzFormat.Json,
            """{"bos_token":{"content":"<s>","lstrip":false},"eos_token":"</s>","unk_token":null,"chat_template":"{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m['content'] | trim }}{{ eos_token }}{% endfor %}","model_max_length":1e30}"""u8.ToArray(),
            """{"chat_template":[{"name":"tool","template":"x"},{"name":"default","template":"{{ messages[0].content }}"}]}"""u8.ToArray()),
        new("chat_template.json", FuzzFormat.Json, "{}"u8.ToArray(), """{"chat_template":"{% for m in messages %}{{ m.content }}{% endfor %}"}"""u8.ToArray()),
    ];

    public override int BytesAtLeast => 64 << 20;

    public override int Read(string input, string output)
    {
        ChatTemplate? template = ChatTemplate.Load(input);
        return template is null ? -1 : Magnitude(template.Render(Seeds.Conversation).Length);
    }
}

/// <summary>Attention traces, up to the layer that methods choose from.</summary>
internal sealed class TraceReader : FuzzReader
{
    public override string Name => "trace";

    public override IReadOnlyList<FuzzFile> Files { get; } = [new("trace.safetensors", FuzzFormat.Safetensors, Seeds.Trace(next: true), Seeds.Trace(next: false))];

    public override int Read(string input, string output)
    {
        using AttentionTrace trace = AttentionTrace.Open(Path.Combine(input, "trace.safetensors"));
        Attention.PromptLayer layer = trace.Layer(KernelSets.Default, null, null, CancellationToken.None);
        AttentionPattern sample = trace.Sample;
        float sum = 0;
        for (int row = 0; row < layer.Keys.Rows; row++)
        {
            sum += layer.Keys.RowSpan(layer.KvHeads - 1, row)[^1] + layer.Values.RowSpan(layer.KvHeads - 1, row)[^1] + layer.Queries.RowSpan((layer.KvHeads * layer.GroupSize) - 1, row)[^1];
        }

        return HashCode.Combine(Magnitude(layer.Keys.Rows), Magnitude(sample.PromptTokens), trace.CacheType, float.IsNaN(sum));
    }
}
