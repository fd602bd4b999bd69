using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Models.Transformer.Cuda;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Models.Transformer;

/// <summary>Whole models on the first GPU; skipped, with the reason, where there is none.</summary>
[Collection(CudaCollection.Name)]
public sealed unsafe class CudaModelTests
{
    private static readonly string s_embedded = Path.Combine(Fixtures.Root, "models", ModelCatalog.DefaultName);

    public static TheoryData<string> Goldens() => [.. Checkpoints.All];

    public static TheoryData<string, string, string, string> Methods() => new()
    {
        { "Dense", "", "Dense", "" },
        { "Dense", "", "SnapKV", "Capacity=200;Window=64;LocalWindow=32" },
        { "Dense", "", "AdaSnapKV", "Capacity=200;Window=64;LocalWindow=32" },
        { "Dense", "", "Quest", "PageSize=16;TokenBudget=128" },
        { "Dense", "", "Quest", "PageSize=16;TokenBudget=128;SharePages=0" },
        { "Dense", "", "Quest", "PageSize=16;TokenBudget=128;Schedule=layer:0-1 dense" },
        { "Dense", "", "SnapKV", "Capacity=200;Window=64;LocalWindow=32;Schedule=layer:0-1 dense | head:1 x0.5" },
        { "Dense", "", "WindowSink", "Capacity=200;LocalWindow=64" },
        { "Dense", "", "RandomAdaSnapKV", "Capacity=200;Window=64;LocalWindow=32" },
        { "Dense", "", "OracleTopK", "TokenBudget=128" },
        { "Dense", "", "OracleTopK", "TokenBudget=64;Schedule=layer:0-1 dense | step:5- x2" },
        { "Dense", "", "OraclePages", "PageSize=16;TokenBudget=128" },
        { "Dense", "", "OraclePages", "PageSize=8;TokenBudget=128;SharePages=0" },
        { "Dense", "", "RandomPages", "PageSize=16;TokenBudget=512" },
        { "Dense", "", "RandomPages", "PageSize=16;TokenBudget=512;SharePages=0" },
        { "Dense", "", "WindowSinkPages", "PageSize=16;TokenBudget=128" },
        { "Dense", "", "WindowSinkPages", "PageSize=16;TokenBudget=128;SharePages=0" },
        { "BlockSparse", "BlockSize=16;TopBlocks=16", "Dense", "" },
        { "BlockSparse", "BlockSize=64;TopBlocks=6", "Dense", "" },
        { "BlockSparse", "BlockSize=128;TopBlocks=4", "Dense", "" },
        { "BlockSparse", "BlockSize=24;TopBlocks=12", "Dense", "" },
        { "BlockSparse", "BlockSize=4;TopBlocks=64", "Dense", "" },
        { "Random", "BlockSize=8;TopBlocks=80", "Dense", "" },
        { "WindowSink", "BlockSize=16;TopBlocks=20", "Dense", "" },
        { "OracleTopK", "BlockSize=4;TopBlocks=64", "Dense", "" },
        { "OracleTopK", "BlockSize=64;TopBlocks=6", "Dense", "" },
        { "VerticalSlash", "VerticalSize=64;SlashSize=128;Window=64", "Dense", "" },
        { "FlexPrefill", "Alpha=0.5;MinimumBudget=64;Window=64", "Dense", "" },
        { "RandomVerticalSlash", "VerticalSize=64;SlashSize=128", "Dense", "" },
    };

    [Theory]
    [MemberData(nameof(Goldens))]
    public void Logits_of_the_golden_checkpoints_agree_within_the_error_of_16_bits(string name)
    {
        CudaDevice device = Device();
        string? directory = Checkpoints.Find(name);
        Assert.SkipWhen(directory is null, "The shared fixtures are not beside the checkout.");
        using var golden = SafetensorsFile.Open(Path.Combine(directory, "golden.safetensors"));
        int[] tokens = [.. golden.Tensor("input_ids").ToIntegers().Select(t => (int)t)];
        float[] expected = golden.Tensor("logits").ToSingles();
        using var model = CudaModel.Load(directory, device);
        float[] actual = model.ForwardLogits(tokens, TestContext.Current.CancellationToken);
        double error = Error(expected, actual);
        Assert.True(error <= 2e-2, $"relative error {error:E2}");

        int[] greedy = [.. golden.Tensor("greedy").ToIntegers().Select(t => (int)t)];
        using CudaPrompt prompt = model.Prefill(tokens, Request("Dense", "", ("Dense", "")), TestContext.Current.CancellationToken);
        using CudaSequence sequence = prompt.StartSequence(0);
        float[] logits = prompt.LastLogits;
        Assert.True(Error(expected[^logits.Length..], logits) <= 2e-2, $"last row {Error(expected[^logits.Length..], logits):E2}");
        foreach (int token in greedy)
        {
            int chosen = LogitMath.ArgMax(logits);
            Assert.True(logits[chosen] - logits[token] <= 0.1, $"{chosen} in place of {token} by {logits[chosen] - logits[token]}");
            logits = new float[model.Configuration.VocabularySize];
            model.Step([(sequence, token)], logits, TestContext.Current.CancellationToken);
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Methods_give_the_processors_sparsities_and_nearly_its_logits(string prefill, string prefillParameters, string decode, string decodeParameters)
    {
        CudaDevice device = Device();
        int[] tokens = Tokens(1500);
        PrefillRequest request = Request(prefill, prefillParameters, (decode, decodeParameters));
        using var host = TransformerModel.Load(s_embedded);
        using var gpu = CudaModel.Load(s_embedded, device);
        using PromptState expected = host.Prefill(tokens, request, TestContext.Current.CancellationToken);
        using CudaPrompt actual = gpu.Prefill(tokens, request, TestContext.Current.CancellationToken);
        PrefillStatistics e = expected.Statistics;
        PrefillStatistics a = actual.Statistics;
        Assert.Equal(e.CausalPairs, a.CausalPairs);
        Assert.Equal(e.ForcedPairs, a.ForcedPairs);
        Assert.Equal(e.AttendedPairs / (double)e.CausalPairs, a.AttendedPairs / (double)a.CausalPairs, prefill is "VerticalSlash" or "FlexPrefill" ? 0.01 : 0);
        Assert.Equal(e.NominalSparsity ?? 0, a.NominalSparsity ?? 0, 0.01);
        bool prefillOnProcessor = prefill == "RandomVerticalSlash" || prefillParameters.Contains("BlockSize=24", StringComparison.Ordinal)
            || (prefillParameters.Contains("BlockSize=128", StringComparison.Ordinal) && device.Properties.Major != 9);
        Assert.Equal(prefillOnProcessor, a.SelectedOnProcessor);
        Assert.True(a.ExecutedPairs >= a.AttendedPairs, $"{a.ExecutedPairs} of {a.AttendedPairs} pairs executed");
        double error = Error(expected.LastLogits, actual.LastLogits);
        Assert.True(error <= 5e-2, $"relative error {error:E2}");

        // A near-tie that falls the other way, in what a step selects, moves that step's logits by more: the median of all steps is held.
        var errors = new List<double>();
        using DecodeSequence hostSequence = expected.StartSequence(0);
        using CudaSequence sequence = actual.StartSequence(0);
        float[] hostLogits = new float[host.Configuration.VocabularySize];
        float[] logits = new float[hostLogits.Length];
        for (int step = 0; step < 40; step++)
        {
            host.Step([new StepRow(hostSequence, tokens[step])], hostLogits, TestContext.Current.CancellationToken);
            gpu.Step([(sequence, tokens[step])], logits, TestContext.Current.CancellationToken);
            errors.Add(Error(hostLogits, logits));
        }

        errors.Sort();
        Assert.True(errors[errors.Count / 2] <= 5e-2, $"relative errors of steps: median {errors[errors.Count / 2]:E2}, largest {errors[^1]:E2}");
        DecodeStatistics es = hostSequence.Statistics;
        DecodeStatistics s = sequence.Statistics;
        Assert.Equal(
            decode is "WindowSink" or "RandomAdaSnapKV" || (decode is "SnapKV" or "AdaSnapKV" && decodeParameters.Contains("Schedule", StringComparison.Ordinal)), s.SelectedOnProcessor);
        Assert.Equal(
            (es.AttendedTokens, es.DenseTokens, es.ForcedTokens, es.KeptPromptTokens, es.PromptTokens, es.BytesRead, es.CacheBytes, es.Steps),
            (s.AttendedTokens, s.DenseTokens, s.ForcedTokens, s.KeptPromptTokens, s.PromptTokens, s.BytesRead, s.CacheBytes, s.Steps));
        Assert.Equal(1, s.Operations / es.Operations, 0.01);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(30)]
    [InlineData(64)]
    [InlineData(130)]
    public void A_row_has_the_same_bits_in_any_batch(int batch)
    {
        CudaDevice device = Device();
        int[] tokens = Tokens(700);
        using var model = CudaModel.Load(s_embedded, device);
        (string, string)[] kinds =
        [
            ("Dense", ""), ("Quest", "TokenBudget=64"), ("SnapKV", "Capacity=200"), ("AdaSnapKV", "Capacity=200"), ("Quest", "TokenBudget=128;SharePages=0"), ("Quest", "PageSize=32;TokenBudget=128"),
            ("OracleTopK", "TokenBudget=64"), ("OraclePages", "TokenBudget=64"), ("RandomPages", "TokenBudget=64"), ("RandomPages", "TokenBudget=64;SharePages=0"), ("WindowSinkPages", "TokenBudget=64"),
        ];
        using CudaPrompt prompt = model.Prefill(tokens, Request("Dense", "", kinds), TestContext.Current.CancellationToken);
        CudaSequence[] together = [.. Enumerable.Range(0, batch).Select(i => prompt.StartSequence(i % kinds.Length))];
        CudaSequence[] alone = [.. Enumerable.Range(0, batch).Select(i => prompt.StartSequence(i % kinds.Length))];
        int vocabulary = model.Configuration.VocabularySize;
        float[] all = new float[batch * vocabulary];
        float[] one = new float[vocabulary];
        for (int step = 0; step < 20; step++)
        {
            model.Step([.. together.Select((s, i) => (s, tokens[((step * 31) + i) % tokens.Length]))], all, TestContext.Current.CancellationToken);
            for (int i = 0; i < batch; i++)
            {
                model.Step([(alone[i], tokens[((step * 31) + i) % tokens.Length])], one, TestContext.Current.CancellationToken);
                Assert.Equal(one, all[(i * vocabulary)..((i + 1) * vocabulary)]);
            }
        }

        Array.ForEach([.. together, .. alone], s => s.Dispose());
    }

    [Fact]
    public void The_tokens_chosen_on_the_device_are_those_of_the_largest_logits()
    {
        CudaDevice device = Device();
        int[] tokens = Tokens(700);
        using var model = CudaModel.Load(s_embedded, device);
        (string, string)[] kinds = [("SnapKV", "Capacity=200"), ("Dense", ""), ("Quest", "TokenBudget=64"), ("Quest", "PageSize=8;TokenBudget=64;Schedule=step:3- x2"),
            ("OraclePages", "TokenBudget=64"), ("RandomPages", "TokenBudget=64;SharePages=0"), ("WindowSinkPages", "TokenBudget=64")];
        using CudaPrompt prompt = model.Prefill(tokens, Request("Dense", "", kinds), TestContext.Current.CancellationToken);
        CudaSequence[] first = [.. Enumerable.Range(0, 9).Select(i => prompt.StartSequence(i % kinds.Length))];
        CudaSequence[] second = [.. Enumerable.Range(0, 9).Select(i => prompt.StartSequence(i % kinds.Length))];
        int vocabulary = model.Configuration.VocabularySize;
        float[] logits = new float[first.Length * vocabulary];
        int[] next = [.. Enumerable.Range(0, first.Length).Select(i => tokens[i])];

        // Sequences end one by one, and the tail of those that stay grows beyond what it was made for.
        for (int step = 0; step < 150; step++)
        {
            int count = step < 100 ? first.Length : 1 + (step % 5);
            model.Step([.. first.Take(count).Select((s, i) => (s, next[i]))], logits.AsSpan(0, count * vocabulary), TestContext.Current.CancellationToken);
            int[] chosen = new int[count];
            model.Choose([.. second.Take(count).Select((s, i) => (s, next[i]))], chosen, TestContext.Current.CancellationToken);
            Assert.Equal(Enumerable.Range(0, count).Select(i => LogitMath.ArgMax(logits.AsSpan(i * vocabulary, vocabulary))), chosen);
            chosen.CopyTo(next, 0);
        }

        Assert.All(first.Zip(second), pair => Assert.Equal(
            pair.First.Statistics with { AttentionSeconds = 0, IndexSeconds = 0 }, pair.Second.Statistics with { AttentionSeconds = 0, IndexSeconds = 0 }));
        Assert.All(second, s => Assert.InRange(s.Statistics.AttentionSeconds, 1e-9, 10));
        Assert.InRange(second[2].Statistics.IndexSeconds, 1e-9, 10);
        Array.ForEach([.. first, .. second], s => s.Dispose());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(40)]
    public void Comparisons_made_on_the_device_are_those_of_the_logits(int block)
    {
        CudaDevice device = Device();
        int[] tokens = Tokens(700);
        using var model = CudaModel.Load(s_embedded, device);
        (string, string)[] kinds = [("Dense", ""), ("Quest", "TokenBudget=64"), ("SnapKV", "Capacity=200"), ("AdaSnapKV", "Capacity=200"), ("Quest", "PageSize=32;TokenBudget=128"), ("OraclePages", "TokenBudget=64")];
        using CudaPrompt prompt = model.Prefill(tokens, Request("Dense", "", kinds), TestContext.Current.CancellationToken);
        CudaSequence[] first = [.. kinds.Select((_, i) => prompt.StartSequence(i))];
        CudaSequence[] second = [.. kinds.Select((_, i) => prompt.StartSequence(i))];
        int vocabulary = model.Configuration.VocabularySize;
        int count = kinds.Length * block;
        float[] logits = new float[count * vocabulary];
        var answers = new LogitAnswer[count];
        for (int start = 0; start < 80; start += block)
        {
            // The dense sequence's rows come first, and the others' are compared with them, position by position.
            LogitQuestion[] questions = [.. Enumerable.Range(0, count).Select(k => new LogitQuestion(tokens[start + (k % block) + 1], k < block ? -1 : k % block))];
            model.Step([.. Enumerable.Range(0, count).Select(k => (first[k / block], tokens[start + (k % block)]))], logits, TestContext.Current.CancellationToken);
            model.Compare([.. Enumerable.Range(0, count).Select(k => (second[k / block], tokens[start + (k % block)]))], questions, answers, TestContext.Current.CancellationToken);
            for (int k = 0; k < count; k++)
            {
                ReadOnlySpan<float> own = logits.AsSpan(k * vocabulary, vocabulary);
                Assert.Equal(LogitMath.LogProbability(own, questions[k].Token), answers[k].LogProbability, 1e-9);
                Assert.Equal(k < block ? 0 : LogitMath.Divergence(logits.AsSpan(questions[k].Dense * vocabulary, vocabulary), own), answers[k].Divergence, 1e-9);
            }
        }

        Assert.True(answers[^1].Divergence > 0);
        Array.ForEach([.. first, .. second], s => s.Dispose());
    }

    [Theory]
    [InlineData(new[] { 40, 24, 8 }, 200)]
    [InlineData(new[] { 1000 }, 3000)]
    [InlineData(new[] { 16 }, 8)]
    public void Products_of_steps_agree_with_double_precision_and_have_the_same_bits_for_any_number_of_rows(int[] outputs, int depth)
    {
        CudaDevice device = Device();
        foreach (DataType type in (DataType[])[DataType.BF16, DataType.F16])
        {
            var random = new RandomSource("products", depth);
            float[] x = Numbers(150 * depth, 1);
            using CudaMatrix rows = Matrix(x, 150);
            CudaMatrix[] weights = Array.ConvertAll(outputs, n => Matrix(Numbers(n * depth, 1 / MathF.Sqrt(depth)), n));
            float[][] weightValues = Array.ConvertAll(weights, Values);
            float[] xs = Values(rows);
            float[][] biases = Array.ConvertAll(outputs, n => Numbers(n, 1));
            CudaMemory[] biasMemory = Array.ConvertAll(biases, b => CudaMemory.From<float>(device, b));
            CudaMemory[] results = Array.ConvertAll(outputs, n => CudaMemory.Allocate(device, 150L * n * sizeof(float)));
            float[][] first = [];
            foreach (int count in (int[])[150, 65, 64, 33, 8, 7, 2, 1])
            {
                Array.ForEach(results, r => r.Fill(0));
                (CudaMatrix, CudaMemory?, ulong)[] products = [.. outputs.Select((_, i) => (weights[i], (CudaMemory?)null, results[i].Address))];
                CudaStepProducts.Multiply(rows.Memory.Address, count, StepOutput.Singles, products);
                float[][] singles = Array.ConvertAll(results, r => r.ToArray<float>());
                CudaStepProducts.Multiply(rows.Memory.Address, count, StepOutput.AddedSingles, products);
                float[][] doubled = Array.ConvertAll(results, r => r.ToArray<float>());
                CudaStepProducts.Multiply(
                    rows.Memory.Address, count, StepOutput.Elements, [.. outputs.Select((_, i) => (weights[i], (CudaMemory?)biasMemory[i], results[i].Address))]);
                ushort[][] elements = Array.ConvertAll(results, r => r.ToArray<ushort>());
                CudaStepProducts.Gate(rows.Memory.Address, count, weights[0], weights[^1].Rows == weights[0].Rows ? weights[^1] : weights[0], results[0].Address, gelu: false);
                ushort[] gated = results[0].ToArray<ushort>();
                first = first.Length == 0 ? [.. singles, .. elements.Select(Widen), Widen(gated)] : first;
                for (int m = 0; m < outputs.Length; m++)
                {
                    int n = outputs[m];
                    int length = count * n;
                    Assert.Equal(first[m][..length], singles[m][..length]);
                    Assert.Equal(first[outputs.Length + m][..length], Widen(elements[m])[..length]);
                    Assert.Equal(Array.ConvertAll(singles[m][..length], v => 2 * v), doubled[m][..length]);
                    Assert.All(singles[m][length..], v => Assert.Equal(0, v));
                    double[] expected = [.. Enumerable.Range(0, length).Select(i => Dot(i / n, weightValues[m], i % n))];
                    Assert.True(Norm(expected, singles[m]) < 1e-5);
                    Assert.True(Norm([.. expected.Select((v, i) => v + biases[m][i % n])], Widen(elements[m])) < 5e-3);
                }

                double[] gates = [.. Enumerable.Range(0, count * outputs[0]).Select(i => Dot(i / outputs[0], weightValues[0], i % outputs[0]))];
                Assert.True(Norm([.. gates.Select(g => g / (1 + Math.Exp(-g)) * g)], Widen(gated)) < 1e-2);
                Assert.Equal(first[^1][..gates.Length], Widen(gated)[..gates.Length]);
            }

            Array.ForEach(weights, w => w.Dispose());
            Array.ForEach([.. biasMemory, .. results], m => m.Dispose());

            float[] Numbers(int count, float scale) => [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() * 2) - 1) * scale)];

            CudaMatrix Matrix(float[] values, int rowCount)
            {
                var matrix = new CudaMatrix(device, type, rowCount, depth);
                fixed (float* data = values)
                {
                    matrix.Upload((byte*)data, DataType.F32);
                    device.Synchronize();
                }

                return matrix;
            }

            float[] Values(CudaMatrix matrix) => Widen(matrix.Memory.ToArray<ushort>());

            float[] Widen(ushort[] bits) =>
                Array.ConvertAll(bits, b => type == DataType.BF16 ? BitConverter.Int32BitsToSingle(b << 16) : (float)BitConverter.UInt16BitsToHalf(b));

            double Dot(int row, float[] weight, int output)
            {
                double sum = 0;
                for (int i = 0; i < depth; i++)
                {
                    sum += xs[(row * depth) + i] * (double)weight[(output * depth) + i];
                }

                return sum;
            }
        }

        static double Norm(double[] expected, float[] actual) =>
            Math.Sqrt(expected.Select((e, i) => Math.Pow(e - actual[i], 2)).Sum() / expected.Sum(e => e * e));
    }

    [Fact]
    public void Chunks_repeats_and_shared_prompts_do_not_change_a_bit()
    {
        CudaDevice device = Device();
        int[] tokens = Tokens(1100);
        using var model = CudaModel.Load(s_embedded, device);
        float[] first = Last(Request("Dense", "", ("SnapKV", "Capacity=200")));
        Assert.Equal(first, Last(Request("Dense", "", ("SnapKV", "Capacity=200"))));
        Assert.Equal(first, Last(Request("Dense", "", ("SnapKV", "Capacity=200")) with { ChunkRows = 256 }));
        Assert.Equal(first, Last(Request("Dense", "", ("SnapKV", "Capacity=200"), ("Quest", "TokenBudget=64"), ("Dense", ""))));

        float[] Last(PrefillRequest request)
        {
            using CudaPrompt prompt = model.Prefill(tokens, request, TestContext.Current.CancellationToken);
            using CudaSequence sequence = prompt.StartSequence(0);
            float[] logits = new float[model.Configuration.VocabularySize];
            model.Step([.. tokens.Take(33).Select(t => (sequence, t))], default, TestContext.Current.CancellationToken);
            model.Step([(sequence, tokens[33])], logits, TestContext.Current.CancellationToken);
            return [.. prompt.LastLogits, .. logits];
        }
    }

    [Theory]
    [InlineData("Dense", "")]
    [InlineData("BlockSparse", "TopBlocks=20")]
    [InlineData("VerticalSlash", "VerticalSize=512;SlashSize=512")]
    public void A_prompt_that_little_memory_is_free_for_is_read_in_smaller_chunks_with_the_same_bits(string method, string parameters)
    {
        const int Length = 8192;
        CudaDevice device = Device();
        int[] part = Tokens(1100);
        int[] tokens = [.. Enumerable.Range(0, Length).Select(i => part[i % part.Length])];
        using var model = CudaModel.Load(s_embedded, device);
        ModelConfiguration c = model.Configuration;
        PrefillRequest request = Request(method, parameters, ("SnapKV", "Capacity=200"), ("Quest", "TokenBudget=64"));
        float[] expected = Last();
        long most = Needed(CudaPromptReader.ChunkRows(c, Length, null));
        long least = Needed(CudaProducts.RowsUnit);
        Assert.True(most - least > 16 << 20, "chunks make a difference");
        foreach (long needed in (long[])[most, most - 1, (most + least) / 2, least])
        {
            using CudaMemory ballast = LeaveFree(needed + CudaPromptReader.Reserve);
            Assert.Equal(expected, Last());
        }

        // What the driver keeps back in its own pieces is not there for the last of the ballast: small pieces until less is free than the smallest chunks need.
        var ballasts = new List<CudaMemory> { LeaveFree(least + (256 << 20)) };
        try
        {
            while (device.FreeBytes >= least)
            {
                ballasts.Add(CudaMemory.Allocate(device, Math.Min(1 << 20, device.FreeBytes)));
            }

            SparseFrontierException error = Assert.ThrowsAny<SparseFrontierException>(() => { Last(); });
            Assert.Equal(ErrorIds.DeviceOutOfMemory, error.ErrorId);
            Assert.Contains("read 256 rows at a time", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            ballasts.ForEach(b => b.Dispose());
            device.GiveBack();
        }

        Assert.Equal(expected, Last());

        long Needed(int rows) => CudaPromptReader.NeededBytes(c, Length, rows, 1, c.LayerCount);

        CudaMemory LeaveFree(long bytes)
        {
            device.Synchronize();
            return CudaMemory.Allocate(device, device.FreeBytes - bytes);
        }

        float[] Last()
        {
            using CudaPrompt prompt = model.Prefill(tokens, request, TestContext.Current.CancellationToken);
            return [.. prompt.LastLogits];
        }
    }

    [Fact]
    public void Steps_that_little_memory_is_free_for_fail_and_leave_model_and_sequences_as_they_were()
    {
        CudaDevice device = Device();
        int[] tokens = Tokens(4000);
        float[] expected = Outputs(isShort: false);
        CudaMemory.FreeUnowned();
        long before = device.UsedBytes;
        Assert.Equal(expected, Outputs(isShort: true));
        Assert.Equal(before, device.UsedBytes);

        float[] Outputs(bool isShort)
        {
            using var model = CudaModel.Load(s_embedded, device);
            using CudaPrompt prompt = model.Prefill(
                tokens, Request("Dense", "", ("Dense", ""), ("OracleTopK", "TokenBudget=64"), ("Quest", "TokenBudget=3072")), TestContext.Current.CancellationToken);
            CudaSequence[] sequences = [.. Enumerable.Range(0, 3).Select(prompt.StartSequence)];
            List<float> all = [.. prompt.LastLogits];
            Array.ForEach(sequences, s => all.AddRange(Step(s, 0, 1)));
            if (isShort)
            {
                RunShort(sequences, prompt.StartSequence);
            }

            // More scratch memory than single rows take, and longer tails than the 64 tokens that they begin with.
            foreach (int rows in (int[])[40, 70, 1, 1])
            {
                Array.ForEach(sequences, s => all.AddRange(Step(s, s.GeneratedLength, rows)));
            }

            Array.ForEach(sequences, s => s.Dispose());
            return [.. all];

            float[] Step(CudaSequence sequence, int first, int rows)
            {
                float[] logits = new float[rows * model.Configuration.VocabularySize];
                model.Step([.. tokens.Skip(first).Take(rows).Select(t => (sequence, t))], logits, TestContext.Current.CancellationToken);
                return logits;
            }

            void RunShort(CudaSequence[] sequences, Func<int, CudaSequence> start)
            {
                var ballast = new List<CudaMemory>();
                try
                {
                    foreach (CudaSequence sequence in sequences)
                    {
                        Fill(device, ballast);
                        Fails(() => Step(sequence, 1, 40));

                        // What needs no more memory than there was may run, once with a recording of its own; nothing that was freed may be used.
                        for (int i = 0; i < 3; i++)
                        {
                            Exception? error = Record.Exception(() => Step(sequence, 1, 1));
                            Assert.True(error is null or CudaException { ErrorId: ErrorIds.DeviceOutOfMemory }, error?.ToString());
                        }

                        sequence.Truncate(1);
                        Fill(device, ballast);
                        Fails(() => Step(sequence, 1, 70));
                        Fill(device, ballast);
                        Fails(() => start(Array.IndexOf(sequences, sequence)));
                        Assert.Equal(1, sequence.GeneratedLength);
                    }
                }
                finally
                {
                    ballast.ForEach(b => b.Dispose());
                    device.GiveBack();
                }
            }
        }

        static void Fails(Func<object> work) => Assert.Equal(ErrorIds.DeviceOutOfMemory, Assert.Throws<CudaException>(work).ErrorId);
    }

    // The driver takes memory of its own for them, and none from the pool.
    [Fact]
    public void Kernels_that_were_not_there_find_room_where_the_pool_keeps_all_memory()
    {
        CudaDevice device = Device();
        var ballast = new List<CudaMemory>();
        try
        {
            Fill(device, ballast);
        }
        finally
        {
            ballast.ForEach(b => b.Dispose());
        }

        Assert.True(device.Keeps(device.FreeBytes - (512 << 20)), "the pool keeps what was given back");
        int[] numbers = [.. Enumerable.Range(0, 64)];
        using var source = CudaMemory.From<ushort>(device, [.. numbers.Select(i => BFloat16.Round(i))]);
        using var target = CudaMemory.Allocate(device, numbers.Length * sizeof(float));
        for (int kernel = 0; kernel < 40; kernel++)
        {
            target.Fill(0);
            device.Function("convert.cu", "expand", ("TYPE", 0), ("OF_TEST", kernel)).Launch((1, 1, 1), 256, 0, source, target, 1L, numbers.Length, numbers.Length);
            Assert.Equal(numbers.Select(i => (float)i), target.ToArray<float>());
        }

        device.GiveBack();
    }

    [Fact]
    public void A_block_of_rows_and_rows_after_forgetting_have_the_bits_of_single_steps()
    {
        CudaDevice device = Device();
        int[] tokens = Tokens(900);
        using var model = CudaModel.Load(s_embedded, device);
        using CudaPrompt prompt = model.Prefill(tokens, Request("Dense", "", ("Quest", "TokenBudget=64"), ("Dense", "")), TestContext.Current.CancellationToken);
        for (int kind = 0; kind < 2; kind++)
        {
            using CudaSequence block = prompt.StartSequence(kind);
            using CudaSequence single = prompt.StartSequence(kind);
            int vocabulary = model.Configuration.VocabularySize;
            float[] all = new float[40 * vocabulary];
            float[] one = new float[vocabulary];
            model.Step([.. tokens.Skip(100).Take(30).Select(t => (single, t))], default, TestContext.Current.CancellationToken);
            single.Truncate(0);
            model.Step([.. tokens.Take(40).Select(t => (block, t))], all, TestContext.Current.CancellationToken);
            for (int i = 0; i < 40; i++)
            {
                model.Step([(single, tokens[i])], one, TestContext.Current.CancellationToken);
                Assert.Equal(one, all[(i * vocabulary)..((i + 1) * vocabulary)]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Layers_over_two_GPUs_give_the_bits_of_one(string prefill, string prefillParameters, string decode, string decodeParameters)
    {
        CudaDevice device = Device();
        Assert.SkipWhen(CudaStatus.Devices.Count < 2, "There is one GPU.");
        CudaDevice second = CudaDevice.Get(1);
        Assert.SkipWhen(device.Properties.Name != second.Properties.Name, "The two GPUs differ.");
        int[] tokens = Tokens(1100);
        PrefillRequest request = Request(prefill, prefillParameters, (decode, decodeParameters), ("Dense", ""));
        float[] one = Outputs([device]);
        Assert.Equal(one, Outputs([device, second]));
        long[] before = [device.UsedBytes, second.UsedBytes];
        Assert.Equal(one, Outputs([second, device]));
        Assert.Equal(before, (long[])[device.UsedBytes, second.UsedBytes]);

        float[] Outputs(CudaDevice[] devices)
        {
            using var model = CudaModel.Load(s_embedded, devices);
            Assert.Equal(devices.Length, model.Stages.Count);
            using CudaPrompt prompt = model.Prefill(tokens, request, TestContext.Current.CancellationToken);
            using CudaSequence sequence = prompt.StartSequence(0);
            using CudaSequence dense = prompt.StartSequence(1);
            int vocabulary = model.Configuration.VocabularySize;
            float[] logits = new float[2 * vocabulary];
            var all = new List<float>(prompt.LastLogits);
            for (int step = 0; step < 90; step++)
            {
                // Beyond the 64 tokens that a tail begins with.
                model.Step([(sequence, tokens[step]), (dense, tokens[step + 7])], logits, TestContext.Current.CancellationToken);
                all.AddRange(step % 10 == 9 ? logits : []);
            }

            return [.. all, .. model.ForwardLogits(tokens.AsSpan(0, 300), TestContext.Current.CancellationToken)];
        }
    }

    [Fact]
    public void Memory_is_given_back_after_evictions_and_with_the_prompt()
    {
        CudaDevice device = Device();
        using var model = CudaModel.Load(s_embedded, device);
        using (CudaPrompt warm = model.Prefill(Tokens(4000), Request("Dense", "", ("SnapKV", "Capacity=200")), TestContext.Current.CancellationToken))
        {
            // The model keeps its table of rotary angles.
        }

        CudaMemory.FreeUnowned();
        long before = device.UsedBytes;
        using (CudaPrompt prompt = model.Prefill(Tokens(4000), Request("Dense", "", ("SnapKV", "Capacity=200")), TestContext.Current.CancellationToken))
        {
            ModelConfiguration c = model.Configuration;
            Assert.Equal(4L * c.LayerCount * c.KvHeads * c.HeadDimension * 200, prompt.CacheBytes);
            Assert.InRange(device.UsedBytes - before, prompt.CacheBytes, prompt.CacheBytes + (c.LayerCount * 2 * 4096));
        }

        Assert.Equal(before, device.UsedBytes);
    }

    [Fact]
    public void Products_of_the_fallback_kernel_agree_with_the_library()
    {
        CudaDevice device = Device();
        Assert.SkipUnless(CudaLibraries.HasProducts, "cuBLASLt was not found");
        int[] tokens = Tokens(200);
        using var model = CudaModel.Load(s_embedded, device);
        CudaMatrix weight = model.Weights.Layers[0].Gate.Weight;
        using var x = CudaMemory.Allocate(device, 256L * weight.Columns * 2);
        x.CopyFrom(model.Weights.EmbeddingMatrix.Memory.Address, x.SizeInBytes);
        using var first = CudaMemory.Allocate(device, 256L * weight.Rows * 4);
        using var second = CudaMemory.Allocate(device, 256L * weight.Rows * 4);
        new CudaProducts(device, useLibrary: true).Multiply(x.Address, 200, weight, first.Address, true, false);
        new CudaProducts(device, useLibrary: false).Multiply(x.Address, 200, weight, second.Address, true, false);
        double error = Error(first.ToArray<float>()[..(200 * weight.Rows)], second.ToArray<float>()[..(200 * weight.Rows)]);
        Assert.True(error <= 1e-5, $"relative error {error:E2}");
    }

    [Fact]
    public void A_method_that_selects_on_the_processor_at_every_step_is_refused()
    {
        CudaDevice device = Device();
        using var model = CudaModel.Load(s_embedded, device);
        var own = new OwnSelection();
        var e = Assert.Throws<SparseFrontierException>(
            () => model.Prefill(Tokens(100), new PrefillRequest { DecodeConfigurations = [new DecodeConfiguration(own, own.CreateParameters())] }, TestContext.Current.CancellationToken));
        Assert.Equal(ErrorIds.DeviceUnsupported, e.ErrorId);
    }

    private sealed class OwnSelection : DecodeMethod
    {
        public override string Name => "Own";

        public override MethodTaxonomy Taxonomy => new("tokens", "own", "own", "full cache");

        public override string Description => "Selects by means of its own.";

        public override string Source => "Test";

        public override IReadOnlyList<MethodParameter> Parameters => [];

        public override string? BudgetParameter => null;
    }

    private static CudaDevice Device()
    {
        Assert.SkipUnless(CudaStatus.Missing(0) is null, CudaStatus.Missing(0)?.Message ?? "");
        return CudaDevice.Get(0);
    }

    // All memory that there is, down to holes that nothing here fits into.
    private static void Fill(CudaDevice device, List<CudaMemory> ballast)
    {
        for (long piece = 1L << 30; piece >= 1 << 16;)
        {
            try
            {
                ballast.Add(CudaMemory.Allocate(device, piece));
            }
            catch (CudaException e) when (e.ErrorId == ErrorIds.DeviceOutOfMemory)
            {
                piece /= 2;
            }
        }
    }

    private static int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(i => (int)((i * 7919L) + (i * (long)i % 613)) % 1900)];

    private static PrefillRequest Request(string prefill, string prefillParameters, params (string Name, string Parameters)[] decodes)
    {
        PrefillMethod? method = prefill == "Dense" ? null : MethodRegistry.FindPrefill(prefill);
        return new PrefillRequest
        {
            Method = method,
            Parameters = method?.CreateParameters(prefillParameters),
            DecodeConfigurations = [.. decodes.Select(d => new DecodeConfiguration(MethodRegistry.FindDecode(d.Name), MethodRegistry.FindDecode(d.Name).CreateParameters(d.Parameters)))],
            MaximumOutputTokens = 64,
        };
    }

    private static double Error(float[] expected, float[] actual) =>
        Math.Sqrt(expected.Zip(actual).Sum(p => Math.Pow(p.First - p.Second, 2)) / expected.Sum(g => (double)g * g));
}
