using System.Text.Json.Nodes;
using SparseFrontier.Kernels;
using SparseFrontier.Models.Transformer;
using Xunit;

namespace SparseFrontier.Tests.Models.Transformer;

public sealed class ModelConfigurationTests : IDisposable
{
    private const string Llama = """
        {"model_type":"llama","hidden_size":64,"intermediate_size":160,"num_hidden_layers":4,"num_attention_heads":4,"num_key_value_heads":2,
         "vocab_size":512,"max_position_embeddings":1024,"rms_norm_eps":1e-5,"rope_theta":500000.0,"eos_token_id":[2,3]}
        """;

    private const string Qwen = """
        {"model_type":"qwen2","hidden_size":3584,"intermediate_size":18944,"num_hidden_layers":28,"num_attention_heads":28,"num_key_value_heads":4,
         "vocab_size":152064,"max_position_embeddings":32768,"rms_norm_eps":1e-6,"rope_theta":1000000.0,"eos_token_id":151645,
         "sliding_window":131072,"use_sliding_window":false,"max_window_layers":28,"tie_word_embeddings":false,"torch_dtype":"bfloat16"}
        """;

    // gemma-3-4b-it as published: most fields are left to the defaults.
    private const string Gemma4B = """
        {"architectures":["Gemma3ForConditionalGeneration"],"model_type":"gemma3","eos_token_id":[1,106],"torch_dtype":"bfloat16",
         "text_config":{"hidden_size":2560,"intermediate_size":10240,"model_type":"gemma3_text","num_hidden_layers":34,
         "rope_scaling":{"factor":8.0,"rope_type":"linear"},"sliding_window":1024},"vision_config":{"hidden_size":1152}}
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_Llama_configuration_is_read()
    {
        ModelConfiguration c = Read(Llama);
        Assert.Equal(("llama", 4, 64, 160, 4, 2, 16, 512, 1024), (c.Family, c.LayerCount, c.HiddenSize, c.IntermediateSize, c.QueryHeads, c.KvHeads, c.HeadDimension, c.VocabularySize, c.ContextLength));
        Assert.Equal([2, 3], c.StopTokens);
        Assert.Equal([0, 0, 0, 0], c.SlidingWindows);
        Assert.Equal(new RotaryConfiguration { Base = 500000 }, c.Rotary);
        Assert.Equal(1e-5f, c.NormEpsilon);
        Assert.Equal(0.25f, c.AttentionScale);
        Assert.Equal(GateActivation.Silu, c.Activation);
        Assert.False(c.TiedEmbeddings || c.QueryKeyNorms || c.QueryKeyValueBias || c.AttentionOutputBias || c.FeedForwardBias || c.IsGemma || c.ExtendsByYarn);
        Assert.Null(c.YarnFactorFor(100_000));
    }

    [Fact]
    public void Biases_follow_the_family()
    {
        ModelConfiguration llama = Read(Llama, c => { c["attention_bias"] = true; c["mlp_bias"] = true; });
        Assert.True(llama.QueryKeyValueBias && llama.AttentionOutputBias && llama.FeedForwardBias);
        ModelConfiguration qwen2 = Read(Qwen);
        Assert.True(qwen2.QueryKeyValueBias && !qwen2.AttentionOutputBias && !qwen2.QueryKeyNorms);
        ModelConfiguration qwen3 = Read(Qwen, c => c["model_type"] = "qwen3");
        Assert.True(!qwen3.QueryKeyValueBias && qwen3.QueryKeyNorms);
        Assert.Equal(128, qwen3.HeadDimension);
    }

    [Fact]
    public void Qwen_goes_beyond_its_native_length_by_the_papers_Yarn_factor()
    {
        ModelConfiguration c = Read(Qwen);
        Assert.Equal(32768, c.NativeContextLength);
        Assert.Null(c.YarnFactorFor(32768));
        Assert.Equal(3.9375, c.YarnFactorFor(128000 + 1024));
        Assert.Equal(129024, c.MaximumLength(3.9375));
        Assert.Equal(32768, c.MaximumLength(null));
        RotaryConfiguration yarn = c.RotaryFor(3.9375);
        Assert.Equal((RotaryScaling.Yarn, 3.9375, 32768, 1e6), (yarn.Scaling, yarn.Factor, yarn.OriginalLength, yarn.Base));

        // Qwen 3 allows 40960 tokens in its configuration, but was trained on 32768.
        ModelConfiguration qwen3 = Read(Qwen, j => { j["model_type"] = "qwen3"; j["max_position_embeddings"] = 40960; });
        Assert.Equal((40960, 32768), (qwen3.ContextLength, qwen3.NativeContextLength));
        Assert.Equal(1.03125, qwen3.YarnFactorFor(32768 + 1024));

        // One with its own scaling keeps it.
        ModelConfiguration scaled = Read(Qwen, j => j["rope_scaling"] = JsonNode.Parse("""{"type":"yarn","factor":4.0,"original_max_position_embeddings":32768}"""));
        Assert.Equal((131072, 32768), (scaled.ContextLength, scaled.NativeContextLength));
        Assert.Null(scaled.YarnFactorFor(100_000));
    }

    [Fact]
    public void Factors_that_the_checkpoint_cannot_take_are_refused()
    {
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => Read(Qwen).RotaryFor(0.9)).ErrorId);
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => Read(Qwen).MaximumLength(double.NaN)).ErrorId);
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => Read(Gemma4B).RotaryFor(2)).ErrorId);
    }

    [Fact]
    public void Gemma_inside_the_conditional_generation_layout_takes_the_defaults()
    {
        ModelConfiguration c = Read(Gemma4B);
        Assert.Equal(("gemma3_text", 34, 8, 4, 256, 262208, 131072), (c.Family, c.LayerCount, c.QueryHeads, c.KvHeads, c.HeadDimension, c.VocabularySize, c.ContextLength));
        Assert.True(c.IsGemma && c.TiedEmbeddings && c.QueryKeyNorms);
        Assert.Equal([1, 106], c.StopTokens);
        Assert.Equal([1024, 1024, 1024, 1024, 1024, 0, 1024], c.SlidingWindows.Take(7));
        Assert.Equal(5, c.GlobalLayerCount);
        Assert.Equal(new RotaryConfiguration { Scaling = RotaryScaling.Linear, Base = 1e6, Factor = 8 }, c.Rotary);
        Assert.Equal(new RotaryConfiguration { Base = 1e4 }, c.SlidingRotary);
        Assert.Equal(1f / 16, c.AttentionScale);
        Assert.Equal(GateActivation.GeluTanh, c.Activation);
    }

    [Fact]
    public void Older_and_newer_forms_of_one_Gemma_read_the_same()
    {
        ModelConfiguration older = Read("""
            {"model_type":"gemma3_text","hidden_size":64,"intermediate_size":160,"num_hidden_layers":3,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":32,
             "vocab_size":512,"max_position_embeddings":1024,"query_pre_attn_scalar":24,"sliding_window":16,"sliding_window_pattern":3,"rope_theta":1000000.0,
             "rope_local_base_freq":10000.0,"rope_scaling":{"rope_type":"linear","factor":8.0},"eos_token_id":1,"torch_dtype":"bfloat16"}
            """);
        ModelConfiguration newer = ModelConfiguration.Load(Checkpoints.Find("gemma3-v5config-bfloat16")!);
        Assert.Equal(older.SlidingWindows, newer.SlidingWindows);
        Assert.Equal(older.StopTokens, newer.StopTokens);
        Assert.Equal(older with { SlidingWindows = newer.SlidingWindows, StopTokens = newer.StopTokens }, newer);
    }

    [Fact]
    public void Sliding_windows_follow_the_family()
    {
        Assert.Equal([0, 0, 64, 64], Read(Qwen, Slides(2)).SlidingWindows);
        Assert.Equal([64, 0, 64, 0], Read(Qwen, c => { Slides(2)(c); c["layer_types"] = new JsonArray("sliding_attention", "full_attention", "sliding_attention", "full_attention"); }).SlidingWindows);
        Assert.Equal([128, 128, 128, 128], Read(Llama, c => { c["model_type"] = "mistral"; c["sliding_window"] = 128; }).SlidingWindows);
        Assert.Equal([0, 0, 0, 0], Read(Llama, c => { c["model_type"] = "mistral"; c["sliding_window"] = null; }).SlidingWindows);

        // A window that no sequence outgrows is global attention; 4096 is the family's default.
        Assert.Equal([0, 0, 0, 0], Read(Llama, c => c["model_type"] = "mistral").SlidingWindows);

        static Action<JsonObject> Slides(int first) => c =>
        {
            c["num_hidden_layers"] = 4;
            c["use_sliding_window"] = true;
            c["sliding_window"] = 64;
            c["max_window_layers"] = first;
        };
    }

    [Fact]
    public void Stop_tokens_come_from_the_generation_configuration_first()
    {
        File.WriteAllText(_folder.File("generation_config.json"), """{"eos_token_id":[5,6,5]}""");
        Assert.Equal([5, 6], Read(Llama).StopTokens);
        File.WriteAllText(_folder.File("generation_config.json"), """{"temperature":1.0}""");
        Assert.Equal([2, 3], Read(Llama).StopTokens);
        File.WriteAllText(_folder.File("generation_config.json"), """{"eos_token_id":512}""");
        Refuse(Llama, ErrorIds.CheckpointInvalid, "generation_config.json");
        File.WriteAllText(_folder.File("generation_config.json"), """{"eos_token_id":5,"\udc00os_token_id_":1}""");
        Refuse(Llama, ErrorIds.CheckpointInvalid, "generation_config.json");
    }

    [Theory]
    [InlineData("rope_scaling", """{"rope_type":"longrope","factor":4.0}""", "longrope")]
    [InlineData("rope_scaling", """{"type":"dynamic","factor":4.0}""", "dynamic")]
    [InlineData("model_type", "\"mamba\"", "mamba")]
    [InlineData("hidden_act", "\"relu\"", "relu")]
    [InlineData("final_logit_softcapping", "30.0", "final_logit_softcapping")]
    [InlineData("quantization_config", """{"quant_method":"gptq"}""", "gptq")]
    [InlineData("partial_rotary_factor", "0.5", "partial_rotary_factor")]
    public void What_is_not_computed_is_refused_by_name(string field, string value, string named) =>
        Refuse(Llama, ErrorIds.ArchitectureUnsupported, named, c => c[field] = JsonNode.Parse(value));

    [Theory]
    [InlineData("hidden_size", null, "hidden_size")]
    [InlineData("hidden_size", "0", "hidden_size")]
    [InlineData("hidden_size", "64.5", "hidden_size")]
    [InlineData("hidden_size", "\"64\"", "hidden_size")]
    [InlineData("num_hidden_layers", "100000000", "num_hidden_layers")]
    [InlineData("num_key_value_heads", "3", "heads")]
    [InlineData("head_dim", "15", "dimension")]
    [InlineData("rms_norm_eps", "-1", "rms_norm_eps")]
    [InlineData("rope_theta", "0", "rope_theta")]
    [InlineData("rope_scaling", "[]", "rotary")]
    [InlineData("rope_scaling", """{"rope_type":"linear"}""", "factor")]
    [InlineData("rope_scaling", """{"rope_type":"llama3","factor":8.0}""", "original_max_position_embeddings")]
    [InlineData("rope_scaling", """{"rope_type":"llama3","factor":8.0,"original_max_position_embeddings":64,"low_freq_factor":4,"high_freq_factor":1}""", "high_freq_factor")]
    [InlineData("eos_token_id", "-1", "eos_token_id")]
    [InlineData("tie_word_embeddings", "1", "tie_word_embeddings")]
    [InlineData("model_type", null, "model_type")]
    public void Wrong_values_are_refused_with_file_and_field(string field, string? value, string named) =>
        Refuse(Llama, ErrorIds.CheckpointInvalid, named, c => c[field] = value is null ? null : JsonNode.Parse(value));

    [Fact]
    public void Files_that_are_no_configuration_are_refused()
    {
        Assert.Equal(ErrorIds.CheckpointUnreadable, Assert.Throws<SparseFrontierException>(() => ModelConfiguration.Load(_folder.Path)).ErrorId);
        foreach (string text in (string[])["", "{", "[]", "{\"model_type\":\"\\ud800\"}"])
        {
            File.WriteAllText(_folder.File("config.json"), text);
            Assert.Equal(ErrorIds.CheckpointInvalid, Assert.Throws<SparseFrontierException>(() => ModelConfiguration.Load(_folder.Path)).ErrorId);
        }
    }

    private ModelConfiguration Read(string json, Action<JsonObject>? change = null)
    {
        JsonObject edited = JsonNode.Parse(json)!.AsObject();
        change?.Invoke(edited);
        File.WriteAllText(_folder.File("config.json"), edited.ToJsonString());
        return ModelConfiguration.Load(_folder.Path);
    }

    private void Refuse(string json, string id, string named, Action<JsonObject>? change = null)
    {
        var error = Assert.Throws<SparseFrontierException>(() => Read(json, change));
        Assert.Equal(id, error.ErrorId);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.Contains(_folder.Path, error.Message, StringComparison.Ordinal);
    }
}
