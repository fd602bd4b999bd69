using System.Globalization;
using System.Net;
using System.Text;
using SparseFrontier.Experiments;

namespace SparseFrontier.Reporting;

/// <summary>A page that shows masks beside the dense attention that they are chosen from: one HTML file, drawn as SVG, without scripts or anything from elsewhere.</summary>
internal static class MaskPage
{
    // Pixels of a cell.
    private const int Cell = 3;

    /// <summary>The page.</summary>
    public static string Create(IReadOnlyList<AttentionMask> masks)
    {
        var page = new StringBuilder();
        page.Append(
            """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>Attention masks</title>
            <style>
            body { font: 15px/1.45 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
            figure { display: inline-block; margin: 0 2em 2em 0 } figcaption { margin-bottom: .4em }
            svg { background: #eee; shape-rendering: crispEdges } p { max-width: 60em }
            </style></head><body>
            <h1>Attention masks</h1>
            <p>A row is a query, from the first above to the last below; a column is some consecutive keys. Grey is what a query does not see. Left: dense attention,
            darker where more of a query's attention lies (square root, the darkest cell of the figure is black). Right: what the method keeps, darker where it keeps more of a
            column's keys.</p>

            """);
        foreach (AttentionMask mask in masks)
        {
            AttentionPattern p = mask.Pattern;
            page.Append(CultureInfo.InvariantCulture, $"<h2>{WebUtility.HtmlEncode(p.Method)}, layer {p.Layer}, head {p.Head}</h2>\n<p>{WebUtility.HtmlEncode(CellText.PatternHeading(p))}. ");
            page.Append(CultureInfo.InvariantCulture, $"{WebUtility.HtmlEncode(p.Parameters)}<br>Sparsity {p.Sparsity:F3}, captured mass {p.CapturedMass:F3}, recall {p.AttentionRecall:F3}, output error {p.OutputError:F3}.</p>\n");
            double darkest = Enumerable.Range(0, mask.Rows).SelectMany(r => Enumerable.Range(0, mask.Columns).Select(c => mask.Mass(r, c) ?? 0)).Max();
            Figure(page, mask, "Dense attention", (r, c) => mask.Mass(r, c) is double mass ? Math.Sqrt(mass / Math.Max(darkest, double.Epsilon)) : null);
            Figure(page, mask, "Kept", mask.Kept);
        }

        return page.Append("</body></html>\n").ToString();
    }

    private static void Figure(StringBuilder page, AttentionMask mask, string title, Func<int, int, double?> value)
    {
        int width = mask.Columns * Cell;
        int height = mask.Rows * Cell;
        page.Append(CultureInfo.InvariantCulture, $"<figure><figcaption>{title}: queries {mask.Position(0)} to {mask.Position(mask.Rows - 1)}, keys 0 to {mask.KeyCount - 1}</figcaption>");
        page.Append(CultureInfo.InvariantCulture, $"<svg width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\">");
        for (int row = 0; row < mask.Rows; row++)
        {
            // Equal neighbours are one rectangle.
            for (int column = 0; column < mask.Columns;)
            {
                int start = column;
                int? shade = Shade(value(row, column));
                while (column < mask.Columns && Shade(value(row, column)) == shade)
                {
                    column++;
                }

                if (shade is int grey)
                {
                    page.Append(CultureInfo.InvariantCulture, $"<rect x=\"{start * Cell}\" y=\"{row * Cell}\" width=\"{(column - start) * Cell}\" height=\"{Cell}\" fill=\"#{grey:x2}{grey:x2}{grey:x2}\"/>");
                }
            }
        }

        page.Append("</svg></figure>\n");
    }

    // 16 shades from white to black.
    private static int? Shade(double? value) => value is double share ? 255 - ((int)Math.Round(Math.Clamp(share, 0, 1) * 15) * 17) : null;
}
