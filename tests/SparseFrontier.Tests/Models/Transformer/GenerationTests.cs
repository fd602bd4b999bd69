using SparseFrontier.Attention;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Models.Transformer;
using Xunit;

namespace SparseFrontier.Tests.Models.Transformer;

public sealed class GenerationTests : IDisposable
{
    private readonly TransformerModel _model = TransformerModel.Load(Checkpoints.Find("qwen25-hub-bfloat16")!);
    private readonly List<IDisposable> _open = [];

    public void Dispose()
    {
        _open.Reverse();
        _open.ForEach(o => o.Dispose());
        _model.Dispose();
    }

    [Fact]
    public void Greedy_tokens_are_the_goldens()
    {
        using var golden = SafetensorsFile.Open(Path.Combine(_model.Directory, "golden.safetensors"));
        GenerationInput input = Start([.. golden.Tensor("input_ids").ToIntegers().Select(t => (int)t)]);
        var seen = new List<(int, int)>();
        GeneratedSequence result = Generation.Generate(_model, [input], Options(24) with { StopTokens = [] }, (i, t) => seen.Add((i, t)), Cancel)[0];
        Assert.Equal(golden.Tensor("greedy").ToIntegers(), result.Tokens.Select(t => (long)t));
        Assert.Null(result.StopToken);
        Assert.Equal(result.Tokens.Select(t => (0, t)), seen);

        // The last token is not fed back.
        Assert.Equal(23, input.Sequence.GeneratedLength);
        Assert.Equal(23, input.Sequence.Statistics.Steps);
    }

    [Fact]
    public void Each_sequence_stops_on_its_own_and_none_changes_another()
    {
        int[][] prompts = [.. Enumerable.Range(1, 5).Select(i => Prompt(20 + (7 * i)))];
        List<GeneratedSequence> alone = [.. prompts.Select(p => Generation.Generate(_model, [Start(p)], Options(12) with { StopTokens = [] }, null, Cancel)[0])];

        // Stops taken from what two of the sequences generate, so that lengths differ.
        GenerationOptions options = Options(12) with { StopTokens = [alone[0].Tokens[3], alone[2].Tokens[6]] };
        IReadOnlyList<GeneratedSequence> together = Generation.Generate(_model, [.. prompts.Select(p => Start(p))], options, null, Cancel);
        for (int i = 0; i < prompts.Length; i++)
        {
            List<int> expected = [.. alone[i].Tokens.TakeWhile(t => !options.StopTokens!.Contains(t))];
            Assert.Equal(expected, together[i].Tokens);
            Assert.Equal(expected.Count < 12 ? alone[i].Tokens[expected.Count] : null, together[i].StopToken);
        }

        Assert.NotNull(together[0].StopToken);
    }

    [Fact]
    public void Draws_depend_on_the_seed_and_on_nothing_else()
    {
        GenerationOptions options = Options(10) with { Temperature = 1.5, TopP = 0.95, StopTokens = [] };
        int[] prompt = Prompt(30);
        IReadOnlyList<int> first = Generation.Generate(_model, [Start(prompt, 1)], options, null, Cancel)[0].Tokens;
        IReadOnlyList<GeneratedSequence> batch = Generation.Generate(_model, [Start(prompt, 2), Start(prompt, 1), Start(Prompt(50), 1)], options, null, Cancel);
        Assert.Equal(first, batch[1].Tokens);
        Assert.NotEqual(first, batch[0].Tokens);
        IReadOnlyList<int> greedy = Generation.Generate(_model, [Start(prompt)], options with { Temperature = 0 }, null, Cancel)[0].Tokens;
        Assert.Equal(greedy, Generation.Generate(_model, [Start(prompt, 1)], options with { TopK = 1 }, null, Cancel)[0].Tokens);
        Assert.Equal(greedy, Generation.Generate(_model, [Start(prompt, 1)], options with { TopP = 1e-9 }, null, Cancel)[0].Tokens);
    }

    [Fact]
    public void Draws_follow_the_distribution()
    {
        float[] logits = [MathF.Log(1), MathF.Log(2), MathF.Log(4), MathF.Log(8), float.NegativeInfinity];
        Assert.Equal([1 / 15.0, 2 / 15.0, 4 / 15.0, 8 / 15.0, 0], Shares(new GenerationOptions { Temperature = 1 }), Close);
        Assert.Equal([0, 0, 4 / 12.0, 8 / 12.0, 0], Shares(new GenerationOptions { Temperature = 1, TopK = 2 }), Close);
        Assert.Equal([0, 0, 4 / 12.0, 8 / 12.0, 0], Shares(new GenerationOptions { Temperature = 1, TopP = 0.6 }), Close);
        Assert.Equal([1 / 85.0, 4 / 85.0, 16 / 85.0, 64 / 85.0, 0], Shares(new GenerationOptions { Temperature = 0.5 }), Close);

        double[] Shares(GenerationOptions options)
        {
            var sampler = new TokenSampler(options, 7);
            int[] counts = new int[logits.Length];
            for (int i = 0; i < 20000; i++)
            {
                counts[sampler.Next(logits)]++;
            }

            return [.. counts.Select(c => c / 20000.0)];
        }

        static bool Close(double a, double b) => Math.Abs(a - b) < 0.015;
    }

    [Fact]
    public void The_lowest_of_equal_logits_is_chosen_and_NaN_never_is()
    {
        Assert.Equal(1, LogitMath.ArgMax([float.NaN, 2, 2, 1]));
        Assert.Equal(ErrorIds.CheckpointInvalid, Assert.Throws<SparseFrontierException>(() => LogitMath.ArgMax([float.NaN, float.NaN])).ErrorId);
    }

    [Fact]
    public void Wrong_options_are_refused()
    {
        foreach (GenerationOptions options in (GenerationOptions[])[Options(-1), Options(1) with { Temperature = -1 }, Options(1) with { Temperature = double.NaN }, Options(1) with { TopP = 0 }, Options(1) with { TopP = 1.1 }, Options(1) with { TopK = -1 }])
        {
            Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => Generation.Generate(_model, [], options, null, Cancel)).ErrorId);
        }

        Assert.Empty(Generation.Generate(_model, [Start(Prompt(5))], Options(0), null, Cancel)[0].Tokens);
    }

    [Fact]
    public void Cancelling_stops_between_tokens()
    {
        using var source = new CancellationTokenSource();
        int tokens = 0;
        Assert.ThrowsAny<OperationCanceledException>(() => Generation.Generate(
            _model,
            [Start(Prompt(20))],
            Options(500) with { StopTokens = [] },
            (_, _) =>
            {
                if (++tokens == 3)
                {
                    source.Cancel();
                }
            },
            source.Token));
        Assert.Equal(3, tokens);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static GenerationOptions Options(int tokens) => new() { MaximumTokens = tokens };

    private static int[] Prompt(int length) => [.. Enumerable.Range(0, length).Select(i => (((i * 37) + length) * 11) % 512)];

    private GenerationInput Start(int[] tokens, long seed = 0)
    {
        var dense = new DenseDecode();
        PromptState prompt = _model.Prefill(tokens, new PrefillRequest { DecodeConfigurations = [new DecodeConfiguration(dense, dense.CreateParameters())] }, Cancel);
        DecodeSequence sequence = prompt.StartSequence(0);
        _open.Add(prompt);
        _open.Add(sequence);
        return new GenerationInput(sequence, prompt.LastLogits, seed);
    }
}
