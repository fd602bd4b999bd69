using System.Collections;
using System.Globalization;
using System.Management.Automation;
using SparseFrontier.Shell;
using SparseFrontier.Tasks;

namespace SparseFrontier.Binding;

/// <summary>A task's content whose code is script blocks. They see global variables and functions only.</summary>
internal sealed class ScriptBlockContent(string name, string create, string? score) : TaskContent
{
    /// <inheritdoc/>
    public override ContentSample Create(int seed, int units) => PipelineThread.Invoke(name, () =>
    {
        object? made = Unwrap.Object(ScriptBlock.Create(create).Invoke(seed, units).LastOrDefault());
        return new ContentSample(Text(made, "Context"), Text(made, "Question"), Text(made, "Answer"));
    });

    /// <inheritdoc/>
    public override double Score(string answer, string given) => score is null
        ? base.Score(answer, given)
        : PipelineThread.Invoke(name, () => Convert.ToDouble(Unwrap.Object(ScriptBlock.Create(score).Invoke(answer, given).LastOrDefault()), CultureInfo.InvariantCulture));

    private static string Text(object? made, string key)
    {
        object? value = made is IDictionary table ? table[key] : made is PSObject row ? row.Properties[key]?.Value : null;
        return Unwrap.Object(value)?.ToString() ?? "";
    }
}
