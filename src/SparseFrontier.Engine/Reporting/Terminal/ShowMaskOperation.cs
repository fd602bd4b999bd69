using System.Text;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Reporting.Terminal;

/// <summary>Shows what methods keep as heat maps: lines of characters, or a page. Emits strings.</summary>
public sealed class ShowMaskOperation
{
    /// <summary>What to look into; one head of one layer makes one map a method.</summary>
    public required MeasurePatternOperation Measurement { get; init; }

    /// <summary>Terminal to draw for.</summary>
    public required TerminalCapabilities Terminal { get; init; }

    /// <summary>Lines of a map at most; null: as its width suggests.</summary>
    public int? Height { get; init; }

    /// <summary>Whether dense attention is drawn before each mask.</summary>
    public bool ShowAttention { get; init; }

    /// <summary>HTML file to write instead; empty: none.</summary>
    public string OutputPath { get; init; } = "";

    /// <summary>Whether a file that is there is replaced.</summary>
    public bool Force { get; init; }

    /// <summary>Measures and shows.</summary>
    /// <exception cref="SparseFrontierException">As <see cref="MeasurePatternOperation"/>; OutputFileExists, ResultWriteFailed.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        if (OutputPath.Length > 0)
        {
            if (File.Exists(OutputPath) && !Force)
            {
                throw new SparseFrontierException(ErrorIds.OutputFileExists, $"'{OutputPath}' is there already. Name another file, or replace it with -Force (--force).", OutputPath);
            }

            if (!sink.ShouldProcess(OutputPath, "Write attention masks"))
            {
                return;
            }
        }

        var masks = new List<AttentionMask>();
        Measurement.Execute(new CollectingSink<AttentionMask>(sink, masks), cancellationToken);
        if (OutputPath.Length > 0)
        {
            if (masks.Count > 0)
            {
                StoreIO.WriteOutput(OutputPath, Encoding.UTF8.GetBytes(MaskPage.Create(masks)));
            }

            return;
        }

        foreach (AttentionMask mask in masks)
        {
            foreach (string line in Lines(mask))
            {
                sink.Object(line);
            }
        }
    }

    private IEnumerable<string> Lines(AttentionMask mask)
    {
        AttentionPattern p = mask.Pattern;
        string place = FormattableString.Invariant($"{p.Method}, layer {p.Layer}, head {p.Head}");
        if (ShowAttention)
        {
            foreach (string line in Map(mask, $"Dense attention{place[p.Method.Length..]}", mask.Mass, "attention of a query", null))
            {
                yield return line;
            }
        }

        string title = FormattableString.Invariant($"{place}: sparsity {p.Sparsity:F2}, captured mass {p.CapturedMass:F3}, recall {p.AttentionRecall:F3}");
        foreach (string line in Map(mask, title, mask.Kept, "share of the keys kept", 1))
        {
            yield return line;
        }
    }

    private IReadOnlyList<string> Map(AttentionMask mask, string title, Func<int, int, double?> value, string label, double? maximum) => new TerminalHeatMap
    {
        Title = title,
        Rows = mask.Rows,
        Columns = mask.Columns,
        Value = value,
        RowLabel = FormattableString.Invariant($"queries {mask.Position(0)} to {mask.Position(mask.Rows - 1)}"),
        ColumnLabel = FormattableString.Invariant($"keys 0 to {mask.KeyCount - 1}, in {mask.Columns} parts"),
        ValueLabel = label,
        Maximum = maximum,
        Height = Height,
    }.Render(Terminal);
}
