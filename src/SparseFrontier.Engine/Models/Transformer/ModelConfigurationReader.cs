using System.Text.Json;
using SparseFrontier.Kernels;

namespace SparseFrontier.Models.Transformer;

/// <summary>
/// Reads config.json in the form that most published checkpoints carry (rope_theta, rope_scaling, sliding_window_pattern) and in the form of
/// Transformers 5 (rope_parameters, layer_types). Absent fields take the defaults of Transformers.
/// </summary>
internal sealed class ModelConfigurationReader
{
    private const int QwenNativeLength = 32768;

    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = 32 };

    private readonly string _path;
    private readonly JsonElement _root;
    private readonly JsonElement _model;
    private readonly string _family;

    private ModelConfigurationReader(string path, JsonElement root)
    {
        _path = path;
        _root = root;
        _model = root;
        string type = Text(root, "model_type") ?? throw Invalid("has no model_type.");
        if (type == "gemma3" && Find(root, "text_config") is { } text)
        {
            _model = text;
            type = Text(text, "model_type") ?? "gemma3_text";
        }

        _family = type is "llama" or "qwen2" or "qwen3" or "mistral" or "gemma3_text"
            ? type
            : throw Unsupported($"model_type '{type}'; read are llama (Llama 3, SmolLM2), qwen2 (Qwen 2.5), qwen3, mistral, gemma3 and gemma3_text");
    }

    private bool IsGemma => _family == "gemma3_text";

    private bool IsQwen => _family is "qwen2" or "qwen3";

    /// <summary>Reads the configuration of a checkpoint directory.</summary>
    public static ModelConfiguration Read(string directory)
    {
        string path = Path.Combine(directory, "config.json");
        using JsonDocument document = Parse(path);
        ModelConfiguration configuration = ReadTexts(path, () => new ModelConfigurationReader(path, document.RootElement).Read());
        string generation = Path.Combine(directory, "generation_config.json");
        if (!File.Exists(generation))
        {
            return configuration;
        }

        using JsonDocument second = Parse(generation);
        int[] stops = ReadTexts(generation, () => StopTokens(generation, second.RootElement, configuration.VocabularySize));
        return stops.Length > 0 ? configuration with { StopTokens = stops } : configuration;
    }

    // Escaped text that is no valid Unicode shows only when it is read, or a name beside it is looked for.
    private static T ReadTexts<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException e)
        {
            throw new SparseFrontierException(ErrorIds.CheckpointInvalid, $"'{path}' is no well-formed JSON: {e.Message}", path, e);
        }
    }

    private static JsonDocument Parse(string path)
    {
        try
        {
            JsonDocument document = JsonDocument.Parse(PlainFile.ReadAllBytes(path), s_options);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
            throw new SparseFrontierException(ErrorIds.CheckpointInvalid, $"'{path}' is no JSON object.", path);
        }
        catch (JsonException e)
        {
            throw new SparseFrontierException(ErrorIds.CheckpointInvalid, $"'{path}' is no well-formed JSON: {e.Message}", path, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SparseFrontierException(ErrorIds.CheckpointUnreadable, $"'{path}' cannot be read: {e.Message}", path, e);
        }
    }

    private static int[] StopTokens(string path, JsonElement root, int vocabulary)
    {
        if (Find(root, "eos_token_id") is not { } value)
        {
            return [];
        }

        IEnumerable<JsonElement> items = value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : [value];
        return [.. items.Select(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out int id) && id >= 0 && id < vocabulary
            ? id
            : throw new SparseFrontierException(ErrorIds.CheckpointInvalid, $"'{path}': eos_token_id is not a token id, or a list of them, below {vocabulary}.", path)).Distinct()];
    }

    private static JsonElement? Find(JsonElement scope, string name) =>
        scope.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private ModelConfiguration Read()
    {
        RefuseWhatIsNotComputed();
        int heads = Integer("num_attention_heads", IsGemma ? 8 : null, 1 << 16);
        int hidden = Integer("hidden_size", null, 1 << 20);
        int kvHeads = Integer("num_key_value_heads", IsGemma ? 4 : _family == "mistral" ? 8 : heads, 1 << 16);
        int dimension = Integer("head_dim", IsGemma ? 256 : _family == "qwen3" ? 128 : hidden / heads, 1 << 12);
        int layers = Integer("num_hidden_layers", null, 1 << 12);
        int vocabulary = Integer("vocab_size", IsGemma ? 262208 : null, 1 << 24);
        if (heads % kvHeads != 0 || dimension % 2 != 0)
        {
            throw Invalid($"has {Counted.Of(heads, "query head")} over {Counted.Of(kvHeads, "KV head")} of dimension {dimension}; the heads must divide, the dimension be even.");
        }

        int positions = Integer("max_position_embeddings", IsGemma ? 131072 : _family == "mistral" ? 131072 : IsQwen ? QwenNativeLength : 2048, 1 << 30);
        RotaryConfiguration rotary = ReadRotary(IsGemma ? "full_attention" : null, IsGemma ? 1_000_000 : 10_000, positions);
        bool extendsByYarn = IsQwen && rotary.Scaling == RotaryScaling.Default && positions is QwenNativeLength or 40960;
        int native = extendsByYarn ? QwenNativeLength : rotary.Scaling == RotaryScaling.Yarn ? rotary.OriginalLength : positions;
        int context = rotary.Scaling == RotaryScaling.Yarn ? (int)Math.Clamp(rotary.Factor * native, positions, 1 << 30) : positions;
        int[] windows = ReadWindows(layers);
        double scale = 1 / Math.Sqrt(IsGemma ? Number(_model, "query_pre_attn_scalar") ?? 256 : dimension);
        bool attentionBias = Flag("attention_bias", false);
        int[] stops = StopTokens(_path, _root, vocabulary);
        return new ModelConfiguration
        {
            Family = _family,
            LayerCount = layers,
            HiddenSize = hidden,
            IntermediateSize = Integer("intermediate_size", null, 1 << 22),
            QueryHeads = heads,
            KvHeads = kvHeads,
            HeadDimension = dimension,
            VocabularySize = vocabulary,
            ContextLength = context,
            NativeContextLength = native,
            ExtendsByYarn = extendsByYarn,
            StopTokens = stops.Length > 0 ? stops : StopTokens(_path, _model, vocabulary),
            SlidingWindows = [.. windows.Select(w => w >= context ? 0 : w)],
            Rotary = rotary,
            SlidingRotary = IsGemma ? ReadRotary("sliding_attention", 10_000, positions) : rotary,
            NormEpsilon = (float)Positive("rms_norm_eps", Number(_model, "rms_norm_eps") ?? 1e-6),
            AttentionScale = (float)Positive("query_pre_attn_scalar", scale),
            Activation = ReadActivation(),
            TiedEmbeddings = Flag("tie_word_embeddings", IsGemma),
            QueryKeyNorms = _family is "qwen3" or "gemma3_text",
            QueryKeyValueBias = _family == "qwen2" || (attentionBias && _family != "mistral"),
            AttentionOutputBias = attentionBias && _family is "llama" or "qwen3" or "gemma3_text",
            FeedForwardBias = _family == "llama" && Flag("mlp_bias", false),
            IsGemma = IsGemma,
        };
    }

    private void RefuseWhatIsNotComputed()
    {
        foreach (string name in (string[])["attn_logit_softcapping", "final_logit_softcapping"])
        {
            if (Find(_model, name) is not null)
            {
                throw Unsupported(name);
            }
        }

        if (Find(_root, "quantization_config") is { } quantization)
        {
            throw Unsupported($"quantization_config ('{(quantization.ValueKind == JsonValueKind.Object ? Text(quantization, "quant_method") : null) ?? "unnamed"}'); weights are read as F32, F16 or BF16");
        }

        if (Flag("use_bidirectional_attention", false))
        {
            throw Unsupported("use_bidirectional_attention");
        }

        if ((Number(_model, "partial_rotary_factor") ?? 1) != 1)
        {
            throw Unsupported("partial_rotary_factor");
        }
    }

    private GateActivation ReadActivation()
    {
        string name = (IsGemma ? Text(_model, "hidden_activation") : null) ?? Text(_model, "hidden_act") ?? (IsGemma ? "gelu_pytorch_tanh" : "silu");
        return name switch
        {
            "silu" or "swish" => GateActivation.Silu,
            "gelu_pytorch_tanh" => GateActivation.GeluTanh,
            _ => throw Unsupported($"hidden_act '{name}'; computed are silu and gelu_pytorch_tanh"),
        };
    }

    private int[] ReadWindows(int layers)
    {
        int[] windows = new int[layers];
        bool slides = _family switch
        {
            "qwen2" or "qwen3" => Flag("use_sliding_window", false),
            "mistral" => !_model.TryGetProperty("sliding_window"u8, out JsonElement value) || value.ValueKind != JsonValueKind.Null,
            _ => IsGemma,
        };
        if (!slides)
        {
            return windows;
        }

        int window = Integer("sliding_window", 4096, int.MaxValue);
        if (Find(_model, "layer_types") is { } types)
        {
            if (types.ValueKind != JsonValueKind.Array || types.GetArrayLength() != layers)
            {
                throw Invalid($"has layer_types that do not name each of the {layers} layers.");
            }

            for (int i = 0; i < layers; i++)
            {
                windows[i] = types[i].ValueKind == JsonValueKind.String ? types[i].GetString() switch
                {
                    "full_attention" => 0,
                    "sliding_attention" => window,
                    string other => throw Unsupported($"layer type '{other}'"),
                    _ => throw Invalid("has layer_types that are no text."),
                }
                : throw Invalid("has layer_types that are no text.");
            }

            return windows;
        }

        // Gemma: every nth layer is global. Qwen: the first layers are. Mistral: none is.
        int pattern = IsGemma ? Integer(Find(_model, "_sliding_window_pattern") is null ? "sliding_window_pattern" : "_sliding_window_pattern", 6, int.MaxValue) : 0;
        int first = IsQwen ? Integer("max_window_layers", 28, int.MaxValue, minimum: 0) : 0;
        for (int i = 0; i < layers; i++)
        {
            windows[i] = i < first || (pattern > 0 && (i + 1) % pattern == 0) ? 0 : window;
        }

        return windows;
    }

    private RotaryConfiguration ReadRotary(string? layerType, double defaultBase, int positions)
    {
        JsonElement? parameters = Find(_model, "rope_parameters");
        if (parameters is { ValueKind: not JsonValueKind.Object })
        {
            throw Invalid("has rope_parameters that are no JSON object.");
        }

        if (layerType is not null && parameters is { } byType && Find(byType, "full_attention") is not null)
        {
            parameters = Find(byType, layerType) ?? throw Invalid($"has rope_parameters without {layerType}.");
        }

        bool local = layerType == "sliding_attention";
        JsonElement? scaling = parameters ?? (local ? null : Find(_model, "rope_scaling"));
        if (scaling is { ValueKind: not JsonValueKind.Object })
        {
            throw Invalid("has a rotary scaling that is no JSON object.");
        }

        double theta = Positive(
            "rope_theta",
            (parameters is { } p ? Number(p, "rope_theta") : null) ?? Number(_model, local ? "rope_local_base_freq" : "rope_theta") ?? defaultBase);
        if (scaling is not { } s)
        {
            return new RotaryConfiguration { Base = theta };
        }

        if ((Number(s, "partial_rotary_factor") ?? 1) != 1)
        {
            throw Unsupported("partial_rotary_factor");
        }

        string type = Text(s, "rope_type") ?? Text(s, "type") ?? "default";
        RotaryScaling kind = type switch
        {
            "default" => RotaryScaling.Default,
            "linear" => RotaryScaling.Linear,
            "llama3" => RotaryScaling.Llama3,
            "yarn" => RotaryScaling.Yarn,
            _ => throw Unsupported($"rope type '{type}'; computed are default, linear, llama3 and yarn"),
        };
        double original = Number(s, "original_max_position_embeddings") ?? (kind == RotaryScaling.Llama3
            ? throw Invalid("has a llama3 rotary scaling without original_max_position_embeddings.")
            : positions);
        double? factor = Number(s, "factor");
        if (factor is null && kind is RotaryScaling.Linear or RotaryScaling.Llama3)
        {
            throw Invalid($"has a {type} rotary scaling without factor.");
        }

        double low = Positive("low_freq_factor", Number(s, "low_freq_factor") ?? 1);
        double high = Positive("high_freq_factor", Number(s, "high_freq_factor") ?? 4);
        return kind == RotaryScaling.Llama3 && high <= low
            ? throw Invalid("has a high_freq_factor that is not above low_freq_factor.")
            : new RotaryConfiguration
            {
                Scaling = kind,
                Base = theta,
                Factor = kind == RotaryScaling.Default ? 1 : Positive("factor", factor ?? positions / original),
                OriginalLength = kind is RotaryScaling.Llama3 or RotaryScaling.Yarn ? (int)Math.Clamp(Positive("original_max_position_embeddings", original), 1, 1 << 30) : 0,
                LowFrequencyFactor = low,
                HighFrequencyFactor = high,
                BetaFast = Positive("beta_fast", Number(s, "beta_fast") ?? 32),
                BetaSlow = Positive("beta_slow", Number(s, "beta_slow") ?? 1),
                Truncate = Find(s, "truncate") is not { ValueKind: JsonValueKind.False },
                AttentionFactor = YarnAttentionFactor(s, factor),
            };
    }

    // DeepSeek's mscale pair, which Transformers reads for every family.
    private double? YarnAttentionFactor(JsonElement scaling, double? factor)
    {
        if (Number(scaling, "attention_factor") is { } given)
        {
            return Positive("attention_factor", given);
        }

        double? scale = Number(scaling, "mscale");
        double? overall = Number(scaling, "mscale_all_dim");
        return scale is > 0 && overall is > 0 && factor is > 1
            ? ((0.1 * scale.Value * Math.Log(factor.Value)) + 1) / ((0.1 * overall.Value * Math.Log(factor.Value)) + 1)
            : null;
    }

    private int Integer(string name, int? defaultValue, int maximum, int minimum = 1)
    {
        if (Find(_model, name) is not { } value)
        {
            return defaultValue ?? throw Invalid($"has no {name}.");
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= minimum && number <= maximum
            ? number
            : throw Invalid($"has {name} = {value.GetRawText()}, which is not a whole number from {minimum} to {maximum}.");
    }

    private double? Number(JsonElement scope, string name) => Find(scope, name) is not { } value
        ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number)
            ? number
            : throw Invalid($"has {name} = {value.GetRawText()}, which is no number.");

    private double Positive(string name, double value) => double.IsFinite(value) && value > 0
        ? value
        : throw Invalid($"has a {name} that is not a number above 0.");

    private bool Flag(string name, bool defaultValue)
    {
        // Conditional-generation configurations keep tie_word_embeddings outside of text_config.
        JsonElement? value = Find(_model, name) ?? Find(_root, name);
        return value is null ? defaultValue : value.Value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Invalid($"has {name} = {value.Value.GetRawText()}, which is neither true nor false."),
        };
    }

    private string? Text(JsonElement scope, string name) => Find(scope, name) is not { } value
        ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : throw Invalid($"has {name} = {value.GetRawText()}, which is no text.");

    private SparseFrontierException Invalid(string cause) => new(ErrorIds.CheckpointInvalid, $"'{_path}' {cause}", _path);

    private SparseFrontierException Unsupported(string what) =>
        new(ErrorIds.ArchitectureUnsupported, $"'{_path}' asks for what is not computed here: {what}.", _path);
}
