using SparseFrontier.Experiments.Operations;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public class MeasureKernelTests
{
    [Fact]
    public void Every_method_is_measured_at_every_length_beside_dense_attention()
    {
        RecordingSink sink = Run(new MeasureKernelOperation
        {
            Method = ["BlockSparse", "Random"],
            SequenceLength = [512, 256],
            Sparsity = [0.5],
            QueryHeadCount = 4,
            KvHeadCount = 2,
            HeadDimension = 32,
            IterationCount = 1,
        });
        KernelMeasurement[] rows = [.. sink.Objects.Cast<KernelMeasurement>().Where(r => r.Phase == "Prefill")];
        Assert.Equal(
            [("Dense", 256), ("Dense", 512), ("BlockSparse", 256), ("BlockSparse", 512), ("Random", 256), ("Random", 512)],
            rows.Select(r => (r.Method, r.SequenceLength)));
        Assert.All(rows, r => Assert.True(r.AttentionMilliseconds > 0 && r.RoofShare > 0 && r.TotalMilliseconds >= r.AttentionMilliseconds));
        Assert.All(rows.Where(r => r.Method != "Dense"), r => Assert.InRange(r.Sparsity!.Value, 0.4, 0.6));
        Assert.All(rows.Where(r => r.Method != "Dense"), r => Assert.True(r.ExecutedDensity >= 1 - r.Sparsity - 1e-9));

        // Queries, keys and values of 4 + 2 + 2 heads of 32; choosing takes more.
        Assert.All(rows.Where(r => r.Method == "Dense"), r => Assert.Equal(8 * 32 * sizeof(float) * r.SequenceLength, r.MemoryBytes));
        Assert.All(rows.Where(r => r.Method != "Dense"), r => Assert.True(r.MemoryBytes > 8 * 32 * sizeof(float) * r.SequenceLength));
        Assert.Empty(sink.Errors);
    }

    [Fact]
    public void Decode_methods_are_measured_beside_a_dense_step()
    {
        RecordingSink sink = Run(new MeasureKernelOperation
        {
            Method = ["Quest", "SnapKV"],
            SequenceLength = [512],
            Sparsity = [0.5],
            QueryHeadCount = 4,
            KvHeadCount = 2,
            HeadDimension = 32,
            IterationCount = 1,
        });
        KernelMeasurement[] rows = [.. sink.Objects.Cast<KernelMeasurement>()];
        Assert.Equal(["Dense", "SnapKV", "Quest"], rows.Select(r => r.Method).OrderBy(m => m == "Dense" ? 0 : m == "SnapKV" ? 1 : 2));
        Assert.All(rows, r => Assert.Equal(("Decode", "BF16"), (r.Phase, r.DataType)));
        Assert.All(rows, r => Assert.True(r.TotalMilliseconds > 0 && r.GigaBytesPerSecond > 0 && r.RoofShare > 0));
        Assert.All(rows.Where(r => r.Method != "Dense"), r => Assert.InRange(r.Sparsity!.Value, 0.45, 0.55));
        Assert.True(rows.Single(r => r.Method == "Quest").IndexMilliseconds > 0);

        // Keys and values of two heads of 32 in bfloat16; Quest's bounds of pages of 16 are an eighth of the keys.
        const int Cached = 512 * 2 * 2 * 32 * 2;
        Assert.Equal(Cached, rows.Single(r => r.Method == "Dense").MemoryBytes);
        Assert.True(rows.Single(r => r.Method == "Quest").MemoryBytes >= Cached + (Cached / 2 / 8));
    }

    [Fact]
    public void A_budget_that_a_length_cannot_hold_is_a_row_without_times_and_a_warning()
    {
        RecordingSink sink = Run(new MeasureKernelOperation
        {
            Method = ["VerticalSlash"],
            SequenceLength = [256],
            Sparsity = [0.99],
            QueryHeadCount = 2,
            KvHeadCount = 1,
            HeadDimension = 16,
            IterationCount = 1,
        });
        KernelMeasurement row = sink.Objects.Cast<KernelMeasurement>().Single(r => r.Method == "VerticalSlash");
        Assert.Null(row.TotalMilliseconds);
        Assert.Null(row.CrossoverLength);
        Assert.Contains(row.Message!, sink.Warnings);
    }

    [Theory]
    [InlineData(new[] { 2.0, 3.0 }, 1000)]
    [InlineData(new[] { 0.5, 2.0 }, 2000)]
    [InlineData(new[] { 0.25, 2.0 }, 2520)]
    [InlineData(new[] { 2.0, 0.5, 0.5, 2.0 }, 32000)]
    [InlineData(new[] { 2.0, 0.5 }, null)]
    public void The_crossover_lies_between_the_lengths_where_the_speed_up_passes_one(double[] speedUps, int? expected)
    {
        // Lengths 1000, 4000, 16000, 64000: a quarter of the logarithm of 4 is a factor of 1.41.
        KernelMeasurement[] series = [.. speedUps.Select((s, i) => new KernelMeasurement { SequenceLength = 1000 << (2 * i), SpeedUp = s })];
        int? crossover = MeasureKernelOperation.Crossover(series);
        Assert.Equal(expected is null, crossover is null);
        Assert.Equal(expected ?? 0, crossover ?? 0, 1.0);
    }

    [Theory]
    [InlineData("NoSuchMethod", ErrorIds.MethodNotFound)]
    [InlineData("BlockSpars", ErrorIds.MethodNotFound)]
    public void Unknown_methods_are_errors_on_the_sink(string method, string id) =>
        Assert.Equal(id, Run(new MeasureKernelOperation { Method = [method] }).Errors.Single().ErrorId);

    [Fact]
    public void Sizes_that_do_not_go_together_are_refused()
    {
        Assert.Equal(ErrorIds.ParameterInvalid, Refused(new MeasureKernelOperation { QueryHeadCount = 3, KvHeadCount = 2 }));
        Assert.Equal(ErrorIds.ParameterInvalid, Refused(new MeasureKernelOperation { HeadDimension = 12 }));
        Assert.Equal(ErrorIds.ParameterInvalid, Refused(new MeasureKernelOperation { SequenceLength = [1] }));
        Assert.Equal(ErrorIds.SparsityOutOfRange, Refused(new MeasureKernelOperation { Sparsity = [1.5] }));
        Assert.Equal(ErrorIds.DeviceNotFound, Refused(new MeasureKernelOperation { Device = "abacus" }));

        static string Refused(MeasureKernelOperation operation) => Assert.Throws<SparseFrontierException>(() => Run(operation)).ErrorId;
    }

    private static RecordingSink Run(MeasureKernelOperation operation)
    {
        var sink = new RecordingSink();
        operation.Execute(sink, TestContext.Current.CancellationToken);
        return sink;
    }
}
