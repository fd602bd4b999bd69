using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Kernels;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Reporting.Terminal;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Looking inside: what is measured on a model, on its traces, and by replaying them is the same, and is what it says.</summary>
public class InspectionTests
{
    private const int Layer = 1;

    [Fact]
    public void Dense_keeps_everything_and_the_oracle_keeps_the_best()
    {
        using var folder = new TemporaryFolder();
        string model = TinyCheckpoint.Create(folder);
        AttentionPattern[] rows = Measure(
            [Specification(model, "Dense", null), Specification(model, "OracleTopK", null, "BlockSize=1;TopBlocks=40;ForcedFirstBlocks=0;ForcedLocalBlocks=1"), Specification(model, "Random", 0.5)]);
        foreach (AttentionPattern dense in rows.Where(r => r.Method == "Dense"))
        {
            Assert.Equal((0, 1, 0), (dense.Sparsity, dense.AttentionRecall, dense.OracleDistance));
            Assert.InRange(dense.ExecutedDensity, 1, 1.2);
            Assert.Equal(1, dense.CapturedMass, 1e-5);
            Assert.Equal(0, dense.OutputError, 1e-5);
            Assert.InRange(dense.KeyShareFor95, 0.05, 0.95);
        }

        // Blocks of one row and one key: the oracle is the best choice but for the own key, which it must keep.
        Assert.All(rows.Where(r => r.Method == "OracleTopK"), r => Assert.InRange(r.AttentionRecall, 0.97, 1));
        Assert.All(rows.Where(r => r.Method == "OracleTopK"), r => Assert.InRange(r.OracleDistance, 0, 0.06));
        Assert.All(rows.Where(r => r.Method == "Random"), r => Assert.InRange(r.AttentionRecall, 0.1, 0.95));
        Assert.All(rows, r => Assert.Equal((64, "Prefill"), (r.QueryCount, r.Phase)));
    }

    [Fact]
    public void A_row_is_what_the_definitions_say()
    {
        // Two keys with equal scores: half of the attention each; the method keeps one of them.
        float[] q = [0, 0, 0, 0];
        float[] k = [1, 0, 0, 1];
        float[] v = [2, 0, 0, 4];
        unsafe
        {
            fixed (float* queries = q, keys = k, values = v)
            {
                var layer = new PromptLayer
                {
                    Layer = 0,
                    Queries = HeadTensor.HeadMajor(queries, 1, 2, 2),
                    Keys = HeadTensor.HeadMajor(keys, 1, 2, 2),
                    Values = HeadTensor.HeadMajor(values, 1, 2, 2),
                    Scale = 1,
                    Kernels = KernelSets.Default,
                };
                (HeadPattern pattern, KeptQuality[] quality) = new AttentionProbe(layer, [1]).MeasureHead(0, [new Second()]);
                Assert.Equal((1.0, 1.0, 2.0, 1.0), (pattern.FirstTokenMass, pattern.LocalMass, pattern.KeysForMass, pattern.KeyShareForMass));
                Assert.Equal((0.5, 0.5, 1.0), (quality[0].CapturedMass, quality[0].OracleMass, quality[0].OracleDistance));

                // Dense output (1, 2), the second value (0, 4): an error of √5 over √5.
                Assert.Equal(1, quality[0].OutputError, 1e-6);
            }
        }
    }

    [Theory]
    [InlineData("VerticalSlash", null, "VerticalSize=80;SlashSize=300")]
    [InlineData("BlockSparse", 0.5, "")]
    [InlineData("SnapKV", 0.5, "")]
    [InlineData("AdaSnapKV", 0.5, "")]
    [InlineData("Quest", 0.5, "")]
    public void A_trace_measures_as_the_model_does(string method, double? sparsity, string parameters)
    {
        using var folder = new TemporaryFolder();
        string model = TinyCheckpoint.Create(folder);
        RunSpecification specification = Specification(model, method, sparsity, parameters);
        var sink = new RecordingSink();
        new ExportTraceOperation { Specifications = [Specification(model, "Dense", null)], OutputPath = folder.File("traces"), Layer = [Layer] }.Execute(sink, default);
        string path = Assert.IsType<AttentionTraceFile>(Assert.Single(sink.Objects)).Path;
        var onTrace = new RecordingSink();
        new MeasurePatternOperation { Specifications = [specification], TracePath = [path] }.Execute(onTrace, default);

        Assert.Equal(Measure([specification]), onTrace.Objects.Cast<AttentionPattern>().Select(r => r with { Path = null }));
    }

    [Theory]
    [InlineData("BlockSparse", 0.5, "blocks")]
    [InlineData("Random", 0.5, "blocks")]
    [InlineData("SnapKV", 0.4, "kept")]
    [InlineData("AdaSnapKV", 0.4, "kept")]
    public void Replaying_a_trace_selects_what_the_run_selected(string method, double sparsity, string list)
    {
        using var folder = new TemporaryFolder();
        string model = TinyCheckpoint.Create(folder);
        RunSpecification specification = Specification(model, method, sparsity);
        var sink = new RecordingSink();
        new ExportTraceOperation { Specifications = [specification], OutputPath = folder.File("traces"), Layer = [Layer] }.Execute(sink, default);
        var file = Assert.IsType<AttentionTraceFile>(Assert.Single(sink.Objects));
        var replay = new RecordingSink();
        new ReplayTraceOperation { Method = [method], Sparsity = [sparsity], Path = [file.Path], OutputPath = folder.File("out") }.Execute(replay, default);
        Assert.Empty(replay.Errors);
        using SafetensorsFile replayed = SafetensorsFile.Open(Assert.IsType<AttendSummary>(Assert.Single(replay.Objects)).Output);
        Assert.Equal(Selected(specification, list), replayed.Tensor(list).ToIntegers());
    }

    [Fact]
    public void Masks_are_drawn_and_written_as_a_page()
    {
        using var folder = new TemporaryFolder();
        var measurement = new MeasurePatternOperation
        {
            Specifications = [Specification(TinyCheckpoint.Create(folder), "BlockSparse", 0.5)],
            Layer = [Layer],
            Head = [0],
            AsMask = true,
        };
        var sink = new RecordingSink();
        var terminal = new TerminalCapabilities { Width = 60 };
        new ShowMaskOperation { Measurement = measurement, Terminal = terminal, ShowAttention = true }.Execute(sink, default);
        string[] lines = [.. sink.Objects.Cast<string>()];
        Assert.All(lines, l => Assert.InRange(l.Length, 0, 60));
        Assert.Contains(lines, l => l.StartsWith("BlockSparse, layer 1, head 0: sparsity 0.5", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.Contains('█', StringComparison.Ordinal));
        string path = folder.File("mask.html");
        new ShowMaskOperation { Measurement = measurement, Terminal = terminal, OutputPath = path }.Execute(sink, default);
        string page = File.ReadAllText(path);
        Assert.Contains("<svg", page, StringComparison.Ordinal);
        Assert.DoesNotContain("http", page, StringComparison.Ordinal);
        Assert.InRange(page.Length, 10_000, 2_000_000);
        Assert.Equal(
            ErrorIds.OutputFileExists,
            Assert.Throws<SparseFrontierException>(() => new ShowMaskOperation { Measurement = measurement, Terminal = terminal, OutputPath = path }.Execute(sink, default)).ErrorId);
    }

    [Theory]
    [InlineData("layer", "-1")]
    [InlineData("layer", "99999999999")]
    [InlineData("scale", "NaN")]
    [InlineData("sample_seed", "x")]
    public void A_trace_whose_metadata_are_no_numbers_is_refused(string name, string value)
    {
        using var folder = new TemporaryFolder();
        var writer = new SafetensorsWriter();
        foreach (string tensor in (string[])["q", "k", "v"])
        {
            writer.Add(tensor, [1, 2, 8], new float[16]);
        }

        writer.AddMetadata(name, value);
        writer.Write(folder.File("trace.safetensors"));
        var sink = new RecordingSink();
        new ReplayTraceOperation { Method = ["Dense"], Path = [folder.File("trace.safetensors")] }.Execute(sink, default);
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Single(sink.Errors).ErrorId);
    }

    [Fact]
    public void What_a_model_does_not_have_is_refused()
    {
        using var folder = new TemporaryFolder();
        RunSpecification run = Specification(TinyCheckpoint.Create(folder), "Dense", null);
        Assert.Equal(ErrorIds.ParameterInvalid, Refused(new MeasurePatternOperation { Specifications = [run], Layer = [99] }));
        Assert.Equal(ErrorIds.ParameterInvalid, Refused(new MeasurePatternOperation { Specifications = [run], Head = [99] }));
        Assert.Equal(ErrorIds.ParameterInvalid, Refused(new MeasurePatternOperation { Specifications = [run], SampleIndex = [-1] }));
        Assert.Equal(ErrorIds.FileNotFound, Refused(new MeasurePatternOperation { Specifications = [run], TracePath = [folder.File("none")] }));

        static string Refused(MeasurePatternOperation operation) => Assert.Throws<SparseFrontierException>(() => operation.Execute(new RecordingSink(), default)).ErrorId;
    }

    // What the method chooses in the middle of the run's own prefill.
    private static long[] Selected(RunSpecification specification, string list)
    {
        var plan = PlannedRun.Create(specification, new TransformerEngineFactory());
        using SampleEngine engine = new TransformerEngineFactory().Open(plan.ModelDirectory, "cpu");
        var sample = InspectedSample.Create(plan, 0, engine);
        var shape = SamplePrompt.Shape(engine.Configuration, sample.Prompt.Length);
        bool prefill = plan.Prefill.BudgetParameter is not null;
        MethodParameters solved = prefill
            ? plan.Prefill.SolveBudget(specification.Sparsity!.Value, shape, plan.PrefillParameters).Parameters
            : plan.Decode.SolveBudget(specification.Sparsity!.Value, shape, plan.DecodeParameters).Parameters;
        long[] selected = [];
        var request = new PrefillRequest
        {
            Method = prefill ? plan.Prefill : null,
            Parameters = prefill ? solved : null,
            Seed = sample.Seed,
            LayerObserver = layer =>
            {
                if (layer.Layer == Layer)
                {
                    AttendResult result = Attend.Run(prefill ? plan.Prefill : plan.Decode, layer, solved);
                    selected = [.. result.Selection.Single(s => s.Name == list).Values.Select(v => (long)v)];
                }
            },
        };
        engine.Prefill(sample.Prompt, request, default).Dispose();
        return selected;
    }

    private static AttentionPattern[] Measure(IReadOnlyList<RunSpecification> runs)
    {
        var sink = new RecordingSink();
        new MeasurePatternOperation { Specifications = runs, Layer = [Layer] }.Execute(sink, default);
        Assert.Empty(sink.Errors);
        return [.. sink.Objects.OfType<AttentionPattern>()];
    }

    private static RunSpecification Specification(string model, string method, double? sparsity, string parameters = "") => new()
    {
        Model = model,
        Method = method,
        Sparsity = sparsity,
        Parameters = parameters,
        Task = "Niah",
        TaskParameters = "KeyGroups=1;Queries=1",
        SequenceLength = 700,
        MaximumOutputTokens = 12,
        ShortInstructions = true,
    };

    private sealed class Second : KeptKeys
    {
        public override IReadOnlyList<int> Rows => [1];

        public override void Mark(int queryHead, int index, Span<bool> kept) => kept[1] = true;

        public override double Sparsity(int queryHead) => 0.5;

        public override double ExecutedDensity(int queryHead) => 0.5;
    }
}
