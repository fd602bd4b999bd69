using System.Globalization;
using System.Text;
using SparseFrontier.Analysis;
using SparseFrontier.Experiments.Findings;
using static System.FormattableString;

namespace SparseFrontier.Reporting.Findings;

/// <summary>The page docs/findings.md: everything in it but its explanations is computed from rows. Numbers are written with points everywhere.</summary>
internal static class FindingPage
{
    /// <summary>Writes the page.</summary>
    /// <param name="scaled">Findings of the scaled series.</param>
    /// <param name="absolute">Findings of the absolute series.</param>
    /// <param name="rows">The rows that they come from.</param>
    /// <param name="patterns">Rows of patterns.</param>
    public static string Write(IReadOnlyList<SparsityFinding> scaled, IReadOnlyList<SparsityFinding> absolute, IReadOnlyList<SparseAttentionResult> rows, IReadOnlyList<AttentionPattern> patterns)
    {
        var page = new StringBuilder();
        int[] trainings = [.. rows.Select(r => r.Model).Distinct(StringComparer.OrdinalIgnoreCase).Select(FindingsGrid.EmbeddedOf).OfType<string>().GroupBy(m => m).Select(g => g.Count()).Distinct().Order()];
        bool isOfOne = trainings.All(n => n == 1);
        string seeds = isOfOne ? "each of one seed" : Invariant($"{Range(trainings)} trainings of a size, each of a seed of its own");
        string difference = isOfOne ? "A difference between two sizes is one of these weights."
            : "A claim about sizes is tested with every choice of one training a size, and the choice that shows least decides; all other claims are of the first training of each size, the weights that are shipped.";
        page.Append(
            $"""
            # Findings

            What runs of this project say of the claims of "The Sparse Frontier" (arXiv 2504.17768). This page is written by `findings --markdown` from rows of results; how each claim is tested is in
            [analysis.md](analysis.md#findings).

            ## What small models trained on these tasks can and cannot tell

            The embedded models were trained on the very tasks that they are asked, from scratch, by one recipe, {seeds}. They can tell how a *selection* behaves where everything else is held fixed: which
            method keeps what a task needs at a sparsity, beside random and fixed choices of as many keys and beside the best choice; and they can be run so often that differences of a few
            hundredths show. They cannot tell how a pretrained model spreads its attention: sinks, heads that retrieve, and redundancy between layers come from training on text, and of a claim that rests on
            those, agreement here is no evidence, nor is disagreement. {difference} Lengths are not the paper's: a method that keeps 5 % of 2,048 tokens keeps 102, of 65,536
            tokens 3,277.


            """);
        Source(page, rows);
        Patterns(page, patterns);
        Labels(page, scaled, absolute);
        Details(page, "Scaled: windows, forced sets, floors and tiles in proportion to the length", scaled);
        Details(page, "Absolute: the paper's windows, forced sets, floors and tiles", absolute);
        Grid(page, rows);
        return page.ToString();
    }

    private static void Source(StringBuilder page, IReadOnlyList<SparseAttentionResult> rows)
    {
        int[] counts = [.. rows.Where(Pareto.Includes).Select(r => r.SampleCount)];
        string[] devices = [.. rows.SelectMany(r => r.Device.Split(',')).Where(d => d.Length > 0).Distinct().Order(StringComparer.Ordinal)];
        string samples = "";
        if (counts.Length > 0)
        {
            // Most runs of a grid have as many samples; those that were run with more, or fewer, are few.
            int usual = counts.GroupBy(n => n).MaxBy(g => g.Count())!.Key;
            int[] others = [.. counts.Where(n => n != usual).Order()];
            samples = others.Length == 0 ? Invariant($" of {Counted.Of(usual, "sample")}") : Invariant($", {counts.Length - others.Length:N0} of them of {Counted.Of(usual, "sample")} and {others.Length:N0} of {Range(others)}");
        }

        page.Append(Invariant($"This page is from {counts.Length:N0} complete {(counts.Length == 1 ? "run" : "runs")}{samples}{(devices.Length > 0 ? $", on {Text(string.Join(" and ", devices))}" : "")}; `examples/ReproduceFindings.ps1` runs such a grid and writes such a page.\n\n"));
    }

    private static string Range(int[] ascending) => ascending[0] == ascending[^1] ? Invariant($"{ascending[0]}") : Invariant($"{ascending[0]} to {ascending[^1]}");

    // How a reader gets the same table with a checkpoint of their own in it.
    private const string Own =
        """
        A checkpoint of your own, in the folder DIR, stands beside these models with the two commands below, or with `-PatternModel DIR` of that script: where its heads look otherwise, so may its answers.

            sparsefrontier pattern --preset findings --method Dense --model DIR --length 2048 --json > own.jsonl
            sparsefrontier findings docs/findings.jsonl.br --markdown --patterns docs/patterns.jsonl.br,own.jsonl > findings.md
        """;

    // A row a layer and head: beside the same of a pretrained checkpoint this says whether what is found here can carry over.
    private static void Patterns(StringBuilder page, IReadOnlyList<AttentionPattern> patterns)
    {
        if (patterns.Count == 0)
        {
            page.Append($"No patterns of attention were given (`--patterns`). {Own}\n\n");
            return;
        }

        page.Append(
            $"""
            Where dense attention lies, by layer and head, means over the samples given: on the first 4 tokens, on the latest 64, on the 64 heaviest columns and diagonals, and how many keys hold 95 % of it
            ([inspection.md](inspection.md)). {Own}

            | model | phase | layer | head | first tokens | local | vertical | slash | keys for 95 % | share for 95 % |
            | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |

            """);
        foreach (var model in patterns.GroupBy(p => (p.Model, p.Phase)).OrderBy(g => g.Key.Model, StringComparer.Ordinal).ThenByDescending(g => g.Key.Phase, StringComparer.Ordinal))
        {
            page.Append(PatternRow(model.Key.Model, model.Key.Phase, "all", "all", [.. model]));
        }

        foreach (var head in patterns.GroupBy(p => (p.Model, p.Phase, p.Layer, p.Head)).OrderBy(g => g.Key.Model, StringComparer.Ordinal).ThenByDescending(g => g.Key.Phase, StringComparer.Ordinal).ThenBy(g => g.Key.Layer).ThenBy(g => g.Key.Head))
        {
            page.Append(PatternRow(head.Key.Model, head.Key.Phase, Invariant($"{head.Key.Layer}"), Invariant($"{head.Key.Head}"), [.. head]));
        }

        string[] samples = [.. patterns.Select(p => Invariant($"{p.Task} at {p.SequenceLength} tokens")).Distinct().Order(StringComparer.Ordinal)];
        page.Append(Invariant($"\nSamples: {Text(string.Join(", ", samples))}.\n\n"));
    }

    private static string PatternRow(string model, string phase, string layer, string head, AttentionPattern[] rows) => Invariant(
        $"| {Text(model)} | {Text(phase)} | {layer} | {head} | {rows.Average(p => p.FirstTokenMass):F2} | {rows.Average(p => p.LocalMass):F2} | {rows.Average(p => p.VerticalMass):F2} | {rows.Average(p => p.SlashMass):F2} | {rows.Average(p => p.KeysFor95):F0} | {rows.Average(p => p.KeyShareFor95):F3} |\n");

    private static void Labels(StringBuilder page, IReadOnlyList<SparsityFinding> scaled, IReadOnlyList<SparsityFinding> absolute)
    {
        page.Append(
            """
            ## The claims

            Agrees: shown. Disagrees: the opposite is shown, or a difference of 0.03 is excluded. Underpowered: neither; more samples could show it. NotTestable: no cell could show it. The
            chance of a false label of a kind is at most 5 % over all claims of a series. Where samples a run are named (`-SampleCount` of the script), as many would decide the claim, one way or the other, with a
            probability of 0.8 if differences are as observed; n is of all tasks and lengths together. Left out of what a claim is tested with are runs that keep more that is forced than chosen (half forced), and
            everything beside dense runs that are not clearly above chance (at chance); the tables count both.

            | claim | paper | scaled | absolute |
            | --- | --- | --- | --- |

            """);
        foreach (SparsityFinding[] both in scaled.Zip(absolute, (s, a) => new[] { s, a }).Concat(scaled.Skip(absolute.Count).Select(s => new[] { s })))
        {
            string where = both[0].AttentionShare is { } share ? Invariant($" ({Equivalent(both[0], share)})") : "";
            page.Append(Invariant($"| {Text(both[0].Claim)}{where} | {Text(both[0].Source)} | {Label(both[0])} | {(both.Length > 1 ? Label(both[1]) : "")} |\n"));
        }

        page.Append('\n');
    }

    private static string Label(SparsityFinding finding) => finding.Label.ToString() + (finding.IsExtrapolated ? ", Extrapolated" : "");

    private static string Equivalent(SparsityFinding finding, double share) => Invariant($"attention is {share:P0} of the cost")
        + (finding.EquivalentLength is { } length ? Invariant($", as for Qwen2.5-7B at {length} tokens, batch {finding.EquivalentBatch}") : ", as for Qwen2.5-7B at no length");

    private static void Details(StringBuilder page, string title, IReadOnlyList<SparsityFinding> findings)
    {
        page.Append(Invariant($"## {title}\n\n"));
        if (findings.All(f => f.Label == FindingLabel.NotTestable))
        {
            page.Append("No claim can be tested with what was run.\n\n");
            return;
        }

        page.Append("| claim | label | estimate [95 %] | n | cells | over Random | over WindowSink | to OracleTopK | half forced | at chance |\n| --- | --- | --- | ---: | ---: | --- | --- | --- | ---: | ---: |\n");
        foreach (SparsityFinding finding in findings.Where(f => f.Label != FindingLabel.NotTestable))
        {
            page.Append(Invariant($"| {finding.Name}{(finding.AttentionShare is { } share ? Invariant($", attention {share:P0}") : "")} | {Label(finding)} | {Interval(finding.Estimate, finding.Low, finding.High)} | {finding.SampleCount} | {finding.CellCount} | "));
            page.Append(Invariant($"{Interval(finding.GainOverRandom, finding.GainOverRandomLow, finding.GainOverRandomHigh)} | {Interval(finding.GainOverWindowSink, finding.GainOverWindowSinkLow, finding.GainOverWindowSinkHigh)} | {Interval(finding.GapToOracle, finding.GapToOracleLow, finding.GapToOracleHigh)} | {finding.ForcedCount} | {finding.BlindCount} |\n"));
        }

        page.Append('\n');
        foreach (SparsityFinding finding in findings)
        {
            string needed = finding.NeededSampleCount is { } n ? Invariant($" About {n:N0} samples a run (now {Range([finding.RunSampleCountLow!.Value, finding.RunSampleCountHigh!.Value])}) would decide it.") : "";
            string[] better = [.. new[] { ("Random", finding.GainOverRandomHigh), ("WindowSink", finding.GainOverWindowSinkHigh) }.Where(c => c.Item2 < 0).Select(c => c.Item1)];
            string controls = better.Length > 0 ? $" {string.Join(" and ", better)} at the same sparsities {(better.Length == 1 ? "scores" : "score")} higher{(finding.Label == FindingLabel.Agrees ? ": what is shown is not to the credit of the method's choice" : "")}." : "";
            string message = finding.Message.Length > 0 ? $" {Capital(Text(finding.Message))}." : "";
            page.Append(Invariant($"- **{finding.Name}** ({Text(finding.Claim)}): {Label(finding)}. {Capital(finding.Measure)}.{(finding.Cells.Length > 0 ? $" {Text(finding.Cells)}." : "")}{message}{controls}{needed}\n"));
        }

        page.Append('\n');
    }

    // What was run, and what of it a length cannot hold.
    private static void Grid(StringBuilder page, IReadOnlyList<SparseAttentionResult> rows)
    {
        page.Append("## What was run\n\nDense scores with 95 % intervals and n; sparse runs that are complete, infeasible at their length, and half forced.\n\n");
        foreach (var task in rows.GroupBy(r => (r.Task, r.TaskParameters, r.CompressBefore)).OrderBy(g => g.Key.Task, StringComparer.Ordinal).ThenBy(g => g.Key.TaskParameters, StringComparer.Ordinal).ThenBy(g => g.Key.CompressBefore, StringComparer.Ordinal))
        {
            string parameters = task.Key.TaskParameters + (task.Key.CompressBefore is "" or "None" ? "" : Invariant($" CompressBefore={task.Key.CompressBefore}"));
            page.Append(Invariant($"### {Text(task.Key.Task)}{(parameters.Length > 0 ? $": {Text(parameters)}" : "")}\n\n"));
            page.Append("| model | tokens | dense | sparse runs | infeasible | half forced |\n| --- | ---: | --- | ---: | ---: | ---: |\n");
            foreach (var cell in task.GroupBy(r => (r.Model, r.SequenceLength)).OrderBy(g => g.Key.Model, StringComparer.Ordinal).ThenBy(g => g.Key.SequenceLength))
            {
                SparseAttentionResult? dense = cell.Where(r => Experiments.ToleranceSeriesBuilder.IsDense(r) && r.Score is not null).MaxBy(r => r.SampleCount);
                SparseAttentionResult[] sparse = [.. cell.Where(r => !Experiments.ToleranceSeriesBuilder.IsDense(r))];
                string score = dense is null ? "" : Invariant($"{dense.Score:F3} [{dense.ScoreLow:F2}, {dense.ScoreHigh:F2}], {dense.SampleCount}");
                page.Append(Invariant($"| {Text(cell.Key.Model)} | {cell.Key.SequenceLength} | {score} | {sparse.Count(Pareto.Includes)} | {sparse.Count(r => r.Status == RunStatus.Infeasible)} | {sparse.Count(FindingData.IsForced)} |\n"));
            }

            page.Append('\n');
        }

        page.Length--;
    }

    private static string Interval(double? value, double? low, double? high) => value is null ? "" : string.Create(CultureInfo.InvariantCulture, $"{value:+0.000;-0.000;0.000} [{low:+0.000;-0.000;0.000}, {high:+0.000;-0.000;0.000}]");

    // Names come from files: nothing in them may be a table or a link.
    private static string Text(string text) => VisibleText.Line(text).Replace("|", "\\|", StringComparison.Ordinal).Replace("[", "\\[", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal);

    private static string Capital(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..];
}
