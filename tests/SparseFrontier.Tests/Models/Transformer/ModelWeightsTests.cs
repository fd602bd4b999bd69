using SparseFrontier.Models.Transformer;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Models.Transformer;

public class ModelWeightsTests
{
    [Theory]
    [InlineData("model.layers.1.self_attn.k_norm.weight")]
    [InlineData("model.embed_tokens.weight")]
    [InlineData("model.norm.weight")]
    public void A_missing_tensor_is_named(string tensor) =>
        Refuse(new EditedCheckpoint(Source).ChangeWeights(t => t.Remove(tensor)), tensor.Replace("model.embed", "embed", StringComparison.Ordinal));

    [Fact]
    public void A_tensor_of_the_wrong_shape_is_named() =>
        Refuse(new EditedCheckpoint(Source).Configure(c => c["intermediate_size"] = 161), "mlp.gate_proj.weight");

    [Fact]
    public void A_tensor_of_the_wrong_type_is_named() => Refuse(
        new EditedCheckpoint(Source).ChangeWeights(t => t["model.norm.weight"] = (DataType.I16, t["model.norm.weight"].Shape, t["model.norm.weight"].Bytes)),
        "model.norm.weight");

    [Fact]
    public void A_layer_tensor_that_the_architecture_does_not_use_is_refused() =>
        Refuse(new EditedCheckpoint(Source).Configure(c => c["model_type"] = "llama"), "k_norm.weight");

    [Fact]
    public void A_layer_beyond_the_configured_ones_is_refused() =>
        Refuse(new EditedCheckpoint(Source).Configure(c => c["num_hidden_layers"] = 2), "model.layers.2.");

    [Fact]
    public void Untied_embeddings_need_an_output_projection() =>
        Refuse(new EditedCheckpoint(Source).Configure(c => c["tie_word_embeddings"] = false), "lm_head.weight");

    [Theory]
    [InlineData("language_model.model.")]
    [InlineData("model.language_model.")]
    public void Gemma_is_found_inside_the_conditional_generation_layouts(string prefix)
    {
        string source = Checkpoints.Find("gemma3-v5config-bfloat16")!;
        using var plain = TransformerModel.Load(source);
        using var nested = new EditedCheckpoint(source)
            .Configure(c =>
            {
                var text = c.DeepClone();
                c.Clear();
                c["model_type"] = "gemma3";
                c["text_config"] = text;
            })
            .ChangeWeights(tensors =>
            {
                foreach (string name in tensors.Keys.ToList())
                {
                    tensors.Add(prefix + name["model.".Length..], tensors[name]);
                    tensors.Remove(name);
                }

                tensors.Add("vision_tower.embeddings.weight", (DataType.BF16, [2, 2], new byte[8]));
                tensors.Add("multi_modal_projector.mm_soft_emb_norm.weight", (DataType.BF16, [2], new byte[4]));
            });
        using var model = TransformerModel.Load(nested.Directory);
        Assert.Equal(plain.ParameterCount, model.ParameterCount);
        Assert.Equal(plain.ForwardLogits([3, 1, 4, 1, 5]), model.ForwardLogits([3, 1, 4, 1, 5]));
    }

    [Fact]
    public void An_absent_directory_is_not_a_model()
    {
        var error = Assert.Throws<SparseFrontierException>(() => TransformerModel.Load(Path.Combine(Fixtures.Root, "absent")));
        Assert.Equal(ErrorIds.ModelNotFound, error.ErrorId);
    }

    [Fact]
    public void Parameters_and_bytes_count_what_the_model_uses()
    {
        using var model = TransformerModel.Load(Source);
        const long Layer = (2 * 64) + (2 * 32) + (128 * 64) + (2 * 64 * 64) + (64 * 128) + (3 * 160 * 64);
        Assert.Equal((512 * 64) + 64 + (3 * Layer), model.ParameterCount);
        Assert.Equal(model.ParameterCount * 2, model.SizeInBytes);
        Assert.Equal("qwen3-hub-float16", model.Name);
    }

    private static string Source => Checkpoints.Find("qwen3-hub-float16")!;

    private static void Refuse(EditedCheckpoint checkpoint, string named)
    {
        using (checkpoint)
        {
            var error = Assert.Throws<SparseFrontierException>(() => TransformerModel.Load(checkpoint.Directory).Dispose());
            Assert.Equal(ErrorIds.CheckpointInvalid, error.ErrorId);
            Assert.Contains(named, error.Message, StringComparison.Ordinal);
        }
    }
}
