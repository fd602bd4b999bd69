using System.Collections;
using System.Globalization;
using System.Management.Automation;
using SparseFrontier.Attention;
using SparseFrontier.Shell;

namespace SparseFrontier.Binding;

/// <summary>A scorer whose code is a script block. It is not bound to the session that registered it: it sees global variables and functions only.</summary>
internal sealed class ScriptBlockScorer(string name, string code) : UnitScorer
{
    /// <inheritdoc/>
    public override double[] Score(ScoreContext context) => PipelineThread.Invoke(name, () =>
        ScriptBlock.Create(code).Invoke(context).SelectMany(Numbers).ToArray());

    private static IEnumerable<double> Numbers(PSObject item) => Unwrap.Object(item) switch
    {
        IEnumerable list and not string => list.Cast<object?>().Select(value => Number(Unwrap.Object(value))),
        var value => [Number(value)],
    };

    private static double Number(object? value) => value is null
        ? throw new FormatException("a score is missing.")
        : Convert.ToDouble(value, CultureInfo.InvariantCulture);
}
