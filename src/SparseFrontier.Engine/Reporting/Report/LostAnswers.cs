using System.Globalization;
using SparseFrontier.Attention;

namespace SparseFrontier.Reporting.Report;

/// <summary>Answers that the dense run has right and a sparse one has not, one of each task, length and method: what a lost point of score looks like.</summary>
internal static class LostAnswers
{
    private const int MaximumText = 240;

    /// <summary>The table; null where no answer was lost or no samples are here.</summary>
    public static ReportTable? Table(ReportData data)
    {
        List<string[]> rows = [];
        foreach (var cell in data.Scored.GroupBy(r => (Place: data.Place(r), r.Seed)))
        {
            if (cell.FirstOrDefault(r => MethodRegistry.IsDense(r.Method) && MethodRegistry.IsDense(r.DecodeMethod)) is not { } dense)
            {
                continue;
            }

            Dictionary<int, SampleResult> right = Samples(data, dense).Where(s => s.Score is not null).ToDictionary(s => s.Index);
            foreach (var method in cell.Where(r => r != dense).GroupBy(ReportData.Methods))
            {
                var lost = method.Reverse()
                    .SelectMany(run => Samples(data, run).Select(s => (Run: run, Sample: s)))
                    .Where(l => l.Sample.Score is not null && right.TryGetValue(l.Sample.Index, out SampleResult? d) && d.GoldJson == l.Sample.GoldJson && d.Score > l.Sample.Score)
                    .ToArray();
                if (lost.Length > 0)
                {
                    (SparseAttentionResult run, SampleResult sample) = lost.MaxBy(l => right[l.Sample.Index].Score - l.Sample.Score);
                    rows.Add(
                    [
                        method.Key, cell.Key.Place, CellText.Requested(run.RequestedSparsity, run.RequestedDecodeSparsity), sample.Index.ToString(CultureInfo.InvariantCulture),
                        CellText.Fraction(right[sample.Index].Score), CellText.Fraction(sample.Score), Short(sample.GoldJson), Short(right[sample.Index].Output), Short(sample.Output),
                    ]);
                }
            }
        }

        return rows.Count == 0
            ? null
            : new ReportTable(
                "The sample of each method that lost most against the dense run; long texts are cut.",
                [
                    new("Method"), new("Where"), new("Sparsity asked", true), new("Sample", true), new("Dense score", true), new("Score", true), new("Gold"), new("Dense output"), new("Output"),
                ],
                rows);
    }

    private static IEnumerable<SampleResult> Samples(ReportData data, SparseAttentionResult row)
    {
        try
        {
            return data.Samples.Of(row);
        }
        catch (SparseFrontierException)
        {
            // Rows without their samples have scores all the same; only this table goes without them.
            return [];
        }
    }

    // Counted in characters as people see them, so that no pair of surrogates is cut in two.
    private static string Short(string text)
    {
        string line = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        var whole = new StringInfo(line);
        return whole.LengthInTextElements <= MaximumText ? line : $"{whole.SubstringByTextElements(0, MaximumText)} ...";
    }
}
