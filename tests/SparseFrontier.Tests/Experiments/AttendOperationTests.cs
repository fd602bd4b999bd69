using SparseFrontier.Experiments.Operations;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public class AttendOperationTests
{
    [Theory]
    [InlineData("Dense", "", "nominal_sparsity:F32:1", "4,90,8")]
    [InlineData("VerticalSlash", "VerticalSize=6 SlashSize=9 Window=16 ForcedSlashes=4", "verticals:I32:4,6 slashes:I32:4,9 nominal_sparsity:F32:4", "4,90,8")]
    [InlineData("blocksparse", "BlockSize=16 TopBlocks=4", "blocks:I32:4,6,4 nominal_sparsity:F32:1", "4,90,8")]
    [InlineData("SnapKV", "Capacity=30 LocalWindow=8 Window=16 KernelSize=3", "kept:U8:2,90 nominal_sparsity:F32:1", "4,90,8")]
    [InlineData("Quest", "PageSize=8 TokenBudget=24", "pages:I32:4,4 nominal_sparsity:F32:1", "4,8")]
    [InlineData("Quest", "PageSize=8 TokenBudget=24 SharePages=false", "pages:I32:4,4 nominal_sparsity:F32:1", "4,8")]
    [InlineData("OracleTopK", "BlockSize=16 TopBlocks=4", "blocks:I32:4,6,4", "4,90,8")]
    public void Output_and_selection_are_written(string method, string parameters, string selection, string shape)
    {
        using var folder = new TemporaryFolder();
        var sink = new RecordingSink();
        Operation(folder, method, parameters).Execute(sink, default);
        using SafetensorsFile file = SafetensorsFile.Open(folder.File("out.safetensors"));
        Assert.Equal(shape, string.Join(',', file.Tensor("out").Shape));
        string[] others = [.. file.Tensors.Values.Where(t => t.Name is not ("out" or "sparsity")).Select(t => $"{t.Name}:{t.DataType}:{string.Join(',', t.Shape)}").Order(StringComparer.Ordinal)];
        Assert.Equal(selection.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal), others);
        AttendSummary summary = Assert.IsType<AttendSummary>(Assert.Single(sink.Objects));
        Assert.Equal((float)summary.Sparsity, file.Tensor("sparsity").ToSingles()[0]);
    }

    [Fact]
    public void Heads_with_shorter_lists_are_filled_with_minus_one()
    {
        using var folder = new TemporaryFolder();
        Operation(folder, "FlexPrefill", "Alpha=0.6 MinimumBudget=4 Window=16 ForcedSlashes=4").Execute(new RecordingSink(), default);
        using SafetensorsFile file = SafetensorsFile.Open(folder.File("out.safetensors"));
        SafetensorsTensor verticals = file.Tensor("verticals");
        long[][] heads = [.. verticals.ToIntegers().Chunk((int)verticals.Shape[1])];
        Assert.Contains(heads, h => h[^1] == -1);
        Assert.All(heads, h => Assert.Equal(h.Where(i => i >= 0).Order(), h.TakeWhile(i => i >= 0)));
        Assert.Contains(heads, h => h[^1] != -1);
    }

    [Theory]
    [InlineData("Snap", "", ErrorIds.MethodNotFound)]
    [InlineData("SnapKV", "Capacity=x", ErrorIds.MethodParameterInvalid)]
    [InlineData("SnapKV", "Capacity=20", ErrorIds.BudgetInfeasible)]
    public void Errors_name_their_cause_and_leave_no_file(string method, string parameters, string errorId)
    {
        using var folder = new TemporaryFolder();
        var error = Assert.ThrowsAny<SparseFrontierException>(() => Operation(folder, method, parameters).Execute(new RecordingSink(), default));
        Assert.Equal(errorId, error.ErrorId);
        Assert.False(File.Exists(folder.File("out.safetensors")));
    }

    [Fact]
    public void Inputs_that_do_not_go_together_are_refused()
    {
        using var folder = new TemporaryFolder();
        AttendOperation operation = Operation(folder, "Dense", "", valueLength: 89);
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => operation.Execute(new RecordingSink(), default)).ErrorId);
        operation = Operation(folder, "Dense", "", queryHeads: 3);
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => operation.Execute(new RecordingSink(), default)).ErrorId);
        File.Delete(folder.File("in.safetensors"));
        Assert.Equal(ErrorIds.FileNotFound, Assert.Throws<SparseFrontierException>(() => operation.Execute(new RecordingSink(), default)).ErrorId);
        Directory.CreateDirectory(folder.File("in.safetensors"));
        Assert.Contains("is a folder", Assert.Throws<SparseFrontierException>(() => operation.Execute(new RecordingSink(), default)).Message, StringComparison.Ordinal);
    }

    private static AttendOperation Operation(TemporaryFolder folder, string method, string parameters, int queryHeads = 4, int valueLength = 90)
    {
        var writer = new SafetensorsWriter();
        Add("q", queryHeads, 90);
        Add("k", 2, 90);
        Add("v", 2, valueLength);
        writer.Write(folder.File("in.safetensors"));
        return new AttendOperation
        {
            Method = method,
            Parameter = parameters.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            Input = folder.File("in.safetensors"),
            Output = folder.File("out.safetensors"),
        };

        void Add(string name, int heads, int length)
        {
            var random = new RandomSource("test/attend/" + name, 1);
            writer.Add(name, [heads, length, 8], [.. Enumerable.Range(0, heads * length * 8).Select(_ => 2 * (float)random.NextNormal())]);
        }
    }
}
