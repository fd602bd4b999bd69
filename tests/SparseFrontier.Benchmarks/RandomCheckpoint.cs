using System.Text;

namespace SparseFrontier.Benchmarks;

/// <summary>A checkpoint of which only the shapes are there, for weights that are drawn on the device: its file has no blocks on the disk.</summary>
/// <param name="Layers">Number of layers.</param>
/// <param name="Hidden">Width of the residual stream.</param>
/// <param name="Intermediate">Width of the feed-forward layer.</param>
/// <param name="QueryHeads">Query heads, of hidden / this or 128 elements.</param>
/// <param name="KvHeads">KV heads.</param>
internal sealed record RandomCheckpoint(int Layers, int Hidden, int Intermediate, int QueryHeads, int KvHeads)
{
    private const int Vocabulary = 152064;
    private const int HeadDimension = 128;

    /// <summary>As Qwen2.5-7B.</summary>
    public static RandomCheckpoint Qwen7B { get; } = new(28, 3584, 18944, 28, 4);

    /// <summary>As Qwen2.5-32B.</summary>
    public static RandomCheckpoint Qwen32B { get; } = new(64, 5120, 27648, 40, 8);

    /// <summary>Writes config.json and model.safetensors.</summary>
    public void Write(string folder)
    {
        File.WriteAllText(Path.Combine(folder, "config.json"), FormattableString.Invariant($$"""
            {"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2","vocab_size":{{Vocabulary}},"hidden_size":{{Hidden}},"intermediate_size":{{Intermediate}},"num_hidden_layers":{{Layers}},"num_attention_heads":{{QueryHeads}},"num_key_value_heads":{{KvHeads}},"hidden_act":"silu","max_position_embeddings":131136,"rms_norm_eps":1e-06,"rope_theta":1000000.0,"tie_word_embeddings":false,"use_sliding_window":false,"torch_dtype":"bfloat16","bos_token_id":1,"eos_token_id":2}
            """));
        var header = new StringBuilder("{");
        long offset = 0;
        int queries = QueryHeads * HeadDimension;
        int keys = KvHeads * HeadDimension;
        Add("model.embed_tokens.weight", Vocabulary, Hidden);
        for (int layer = 0; layer < Layers; layer++)
        {
            string prefix = FormattableString.Invariant($"model.layers.{layer}.");
            Add(prefix + "input_layernorm.weight", Hidden);
            Add(prefix + "post_attention_layernorm.weight", Hidden);
            Add(prefix + "self_attn.q_proj.weight", queries, Hidden);
            Add(prefix + "self_attn.q_proj.bias", queries);
            Add(prefix + "self_attn.k_proj.weight", keys, Hidden);
            Add(prefix + "self_attn.k_proj.bias", keys);
            Add(prefix + "self_attn.v_proj.weight", keys, Hidden);
            Add(prefix + "self_attn.v_proj.bias", keys);
            Add(prefix + "self_attn.o_proj.weight", Hidden, queries);
            Add(prefix + "mlp.gate_proj.weight", Intermediate, Hidden);
            Add(prefix + "mlp.up_proj.weight", Intermediate, Hidden);
            Add(prefix + "mlp.down_proj.weight", Hidden, Intermediate);
        }

        Add("model.norm.weight", Hidden);
        Add("lm_head.weight", Vocabulary, Hidden);
        header.Append('}');
        while (header.Length % 8 != 0)
        {
            header.Append(' ');
        }

        using FileStream file = File.Create(Path.Combine(folder, "model.safetensors"));
        file.Write(BitConverter.GetBytes((long)header.Length));
        file.Write(Encoding.ASCII.GetBytes(header.ToString()));
        file.SetLength(8 + header.Length + offset);

        void Add(string name, params int[] shape)
        {
            long bytes = shape.Aggregate(2L, (product, extent) => product * extent);
            header.Append(offset > 0 ? "," : "").Append(FormattableString.Invariant(
                $"\"{name}\":{{\"dtype\":\"BF16\",\"shape\":[{string.Join(',', shape)}],\"data_offsets\":[{offset},{offset + bytes}]}}"));
            offset += bytes;
        }
    }
}
