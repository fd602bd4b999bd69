using SparseFrontier.Experiments.Operations;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public class CatalogTests
{
    [Fact]
    public void Methods_are_listed_without_controls_unless_asked_for()
    {
        Assert.Equal(
            ["Dense", "VerticalSlash", "BlockSparse", "FlexPrefill", "Dense", "SnapKV", "AdaSnapKV", "Quest"],
            Names<SparseAttentionMethod>(new GetMethodOperation().Execute, m => m.Name));
        Assert.Contains("Random", Names<SparseAttentionMethod>(new GetMethodOperation { IncludeControl = true }.Execute, m => m.Name));
        Assert.Equal(["Random", "Random"], Names<SparseAttentionMethod>(new GetMethodOperation { Name = ["random"] }.Execute, m => m.Name));
        Assert.Equal(["SnapKV", "AdaSnapKV"], Names<SparseAttentionMethod>(new GetMethodOperation { Name = ["*snap*"], Phase = "decode" }.Execute, m => m.Name));

        var sink = new RecordingSink();
        new GetMethodOperation { Name = ["Quest"] }.Execute(sink, default);
        SparseAttentionMethod quest = Assert.IsType<SparseAttentionMethod>(Assert.Single(sink.Objects));
        Assert.Equal(("Decode", "pages", "TokenBudget", false), (quest.Phase, quest.Unit, quest.Budget, quest.NeedsCalibration));
        Assert.Equal("PageSize=16;SharePages=1;TokenBudget=1024", quest.DefaultParameters);
    }

    [Fact]
    public void Unknown_names_are_errors_and_patterns_without_matches_are_not()
    {
        var sink = new RecordingSink();
        new GetMethodOperation { Name = ["Quset", "x*"] }.Execute(sink, default);
        new GetTaskOperation { Name = ["Niha"] }.Execute(sink, default);
        new GetDeviceOperation { Name = ["gpu"] }.Execute(sink, default);
        new TestKernelCorrectnessOperation { Kernel = ["NoKernel"], Quiet = true }.Execute(sink, default);
        Assert.Equal([ErrorIds.MethodNotFound, ErrorIds.TaskNotFound, ErrorIds.DeviceNotFound, ErrorIds.KernelNotFound], sink.Errors.Select(e => e.ErrorId));
        Assert.Contains("Quest", sink.Errors[0].Message, StringComparison.Ordinal);
        Assert.Equal([false], sink.Objects);
    }

    [Fact]
    public void Tasks_and_devices_are_listed()
    {
        Assert.Equal(9, Names<SparseAttentionTask>(new GetTaskOperation().Execute, t => t.Name).Count);
        Assert.Equal(["Squad", "Quality", "Toefl"], Names<SparseAttentionTask>(new GetTaskOperation { Category = ["Question*"] }.Execute, t => t.Name));
        Assert.Contains("cpu", Names<SparseAttentionDevice>(new GetDeviceOperation().Execute, d => d.Name));
    }

    [Fact]
    public void Models_are_read_from_their_headers()
    {
        using var folder = new TemporaryFolder();
        string directory = TinyCheckpoint.Create(folder);
        foreach (string path in (string[])[directory, folder.Path, Path.Combine(folder.Path, "t*")])
        {
            var sink = new RecordingSink();
            new GetModelOperation { Path = [path] }.Execute(sink, default);
            Assert.Empty(sink.Errors);
            SparseAttentionModel model = Assert.IsType<SparseAttentionModel>(Assert.Single(sink.Objects));
            Assert.Equal(("tiny", "qwen3", 3, 4, 2, 32), (model.Name, model.Architecture, model.LayerCount, model.HeadCount, model.KvHeadCount, model.HeadDimension));
            Assert.InRange(model.SizeBytes, 2 * model.ParameterCount!.Value, 1 << 20);
        }

        File.WriteAllText(Path.Combine(directory, "config.json"), "{}");
        var errors = new RecordingSink();
        new GetModelOperation { Path = [directory, folder.File("absent")] }.Execute(errors, default);
        Assert.Equal(2, errors.Errors.Count);
        Assert.Equal(ErrorIds.ModelNotFound, errors.Errors[1].ErrorId);
    }

    [Fact]
    public void Kernels_are_compared_with_their_references()
    {
        var sink = new RecordingSink();
        new TestKernelCorrectnessOperation { Kernel = ["RmsNorm"] }.Execute(sink, default);
        Assert.NotEmpty(sink.Objects);
        Assert.All(sink.Objects, o => Assert.True(((KernelCorrectnessResult)o).Passed, o.ToString()));
        Assert.True(sink.Updates[^1].Completed);
    }

    private static List<string> Names<T>(Action<SparseFrontier.Experiments.IPipelineSink, CancellationToken> execute, Func<T, string> name)
    {
        var sink = new RecordingSink();
        execute(sink, default);
        return [.. sink.Objects.Cast<T>().Select(name)];
    }
}
