using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace SparseFrontier.Reporting.Report;

/// <summary>
/// The report as one HTML file. All text from outside passes through <see cref="Text"/>, charts are JSON whose HTML characters are escaped, and a content
/// security policy lets no script run but the embedded ones, by their hashes, and nothing be fetched: what an escape missed could do nothing.
/// </summary>
internal sealed class ReportPage
{
    // Tables of more rows are folded once scripts run; without scripts all are open.
    private const int LongTable = 12;

    private const int FewWarnings = 5;

    private readonly StringBuilder _html = new();

    /// <summary>The page.</summary>
    public static string Write(string title, ReportData data, IReadOnlyList<ReportFigure> figures) => new ReportPage().Page(title, data, figures);

    /// <summary>A text that shows as itself, in elements and in attributes: nothing of it is markup, and no control character gets through.</summary>
    public static string Text(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            _ = rune.Value switch
            {
                '&' => escaped.Append("&amp;"),
                '<' => escaped.Append("&lt;"),
                '>' => escaped.Append("&gt;"),
                '"' => escaped.Append("&quot;"),
                '\'' => escaped.Append("&#39;"),
                _ when Rune.IsControl(rune) && rune.Value is not ('\n' or '\t') => escaped.Append('\ufffd'),
                _ => escaped.Append(rune.ToString()),
            };
        }

        return escaped.ToString();
    }

    private string Page(string title, ReportData data, IReadOnlyList<ReportFigure> figures)
    {
        string style = ReportAssets.Text("report.css") + Palette(data.Looks);
        string[] scripts = [.. ReportAssets.Libraries.Append("report.js").Select(ReportAssets.Text)];
        string policy = $"default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src {string.Join(' ', scripts.Select(s => $"'sha256-{Hash(s)}'"))}; base-uri 'none'; form-action 'none'";
        _html.Append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
            .Append("<meta http-equiv=\"Content-Security-Policy\" content=\"").Append(policy).Append("\">\n")
            .Append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"SparseFrontier\">\n")
            .Append("<title>").Append(Text(title)).Append("</title>\n<style>\n").Append(style).Append("</style>\n</head>\n<body>\n");
        _html.Append("<header>\n<h1>").Append(Text(title)).Append("</h1>\n");
        Paragraph(ReportRuns.Summary(data));
        _html.Append("<p class=\"tools\"><button type=\"button\" id=\"theme\" hidden>Theme: as the system</button></p>\n</header>\n<main>\n");
        Answer(data, figures);
        foreach (ReportFigure figure in figures)
        {
            Figure(figure, data);
        }

        if (LostAnswers.Table(data) is { } lost)
        {
            Section("lost-answers", "Answers that were lost", "What the dense run answered and a sparse one did not.", lost);
        }

        Section("runs", "What was run", ReportRuns.Summary(data), ReportRuns.Table(data));
        if (ReportRuns.Provenance(data) is { } provenance)
        {
            Section("provenance", "Versions and hashes", "Runs with equal hashes, versions and parameters ask the same questions of the same model.", provenance);
        }

        Foot();
        foreach (string script in scripts)
        {
            _html.Append("<script>").Append(script).Append("</script>\n");
        }

        return _html.Append("</body>\n</html>\n").ToString();
    }

    private void Answer(ReportData data, IReadOnlyList<ReportFigure> figures)
    {
        _html.Append("<section id=\"answer\" aria-labelledby=\"answer-title\">\n<h2 id=\"answer-title\">What the results say</h2>\n");
        List("answer", ReportAnswer.Sentences(data));
        if (ReportAnswer.Details(data) is { Count: > 0 } details)
        {
            _html.Append("<details open class=\"long\"><summary>Every frontier in words</summary>\n");
            List("answer", details);
            _html.Append("</details>\n");
        }

        string[] warnings =
        [
            .. data.LeftOut > 0
                ? [FormattableString.Invariant($"{data.LeftOut} of {Counted.Of(data.Rows.Count, "run")} {(data.LeftOut == 1 ? "takes" : "take")} no part in figures of scores: not completed, infeasible at their length, or with samples that fell back to dense.")]
                : Array.Empty<string>(),
            .. data.Warnings,
        ];
        if (warnings.Length > 0)
        {
            _html.Append("<h3>To be kept in mind</h3>\n");
            List("warnings", warnings.Take(FewWarnings).ToArray());
            if (warnings.Length > FewWarnings)
            {
                _html.Append(CultureInfo.InvariantCulture, $"<details open class=\"long\"><summary>{warnings.Length - FewWarnings} more</summary>\n");
                List("warnings", warnings.Skip(FewWarnings).ToArray());
                _html.Append("</details>\n");
            }
        }

        _html.Append("<nav aria-label=\"Figures\"><ul>\n");
        foreach (ReportFigure figure in figures)
        {
            _html.Append("<li><a href=\"#").Append(figure.Id).Append("\">").Append(Text(figure.Title.Split(':')[0])).Append("</a></li>\n");
        }

        _html.Append("<li><a href=\"#runs\">What was run</a></li>\n</ul></nav>\n<noscript><p class=\"missing\">Charts need JavaScript, which is off here. The tables hold the same numbers.</p></noscript>\n</section>\n");
    }

    private void Figure(ReportFigure figure, ReportData data)
    {
        _html.Append("<section class=\"figure\" id=\"").Append(figure.Id).Append("\" aria-labelledby=\"").Append(figure.Id).Append("-title\">\n<h2 id=\"").Append(figure.Id).Append("-title\">")
            .Append(Text(figure.Title)).Append("</h2>\n");
        Paragraph(figure.Lead);
        if (figure.Missing.Length > 0)
        {
            _html.Append("<p class=\"missing\">").Append(Text(figure.Missing)).Append("</p>\n");
        }

        if (figure.Panels.Count > 0)
        {
            Legend(figure.Legend, data);
            _html.Append("<div class=\"panels\">\n");
            for (int i = 0; i < figure.Panels.Count; i++)
            {
                Panel(FormattableString.Invariant($"{figure.Id}-{i}"), figure.Panels[i]);
            }

            _html.Append("</div>\n");
        }

        if (figure.Table is { } table)
        {
            Table(table);
        }

        _html.Append("</section>\n");
    }

    private void Panel(string id, ReportPanel panel)
    {
        _html.Append("<figure>\n<figcaption id=\"").Append(id).Append("-title\">").Append(Text(panel.Title)).Append("</figcaption>\n")
            .Append("<div class=\"chart\" id=\"").Append(id).Append("\" role=\"img\" aria-label=\"").Append(Text(panel.Chart.Description)).Append("\"></div>\n")
            .Append("<script type=\"application/json\" class=\"chart-specification\" data-chart=\"").Append(id).Append("\">").Append(panel.Chart.ToJson()).Append("</script>\n</figure>\n");
    }

    private void Legend(IReadOnlyList<MethodLook> looks, ReportData data)
    {
        if (looks.Count == 0)
        {
            return;
        }

        _html.Append("<ul class=\"legend\" aria-label=\"Methods\">\n");
        foreach (MethodLook look in looks)
        {
            int index = data.Looks.TakeWhile(l => l != look).Count();
            _html.Append("<li><svg viewBox=\"-6 -6 12 12\" width=\"14\" height=\"14\" aria-hidden=\"true\"><path fill=\"").Append(Figures.FigureParts.ColorVariable(index)).Append("\" d=\"")
                .Append(Outline(look.Shape)).Append("\"/></svg> ").Append(Text(look.Name)).Append("</li>\n");
        }

        _html.Append("</ul>\n");
    }

    // Vega's shapes, of about equal area.
    private static string Outline(string shape) => shape switch
    {
        "square" => "M-4.4-4.4h8.8v8.8h-8.8Z",
        "cross" => "M-5.2-1.8h3.4v-3.4h3.6v3.4h3.4v3.6h-3.4v3.4h-3.6v-3.4h-3.4Z",
        "diamond" => "M0-6L4.2 0L0 6L-4.2 0Z",
        "triangle-up" => "M0-5L5.6 4.6H-5.6Z",
        "triangle-down" => "M0 5L5.6-4.6H-5.6Z",
        "triangle-right" => "M5 0L-4.6 5.6V-5.6Z",
        "triangle-left" => "M-5 0L4.6 5.6V-5.6Z",
        _ => "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0-5 0Z",
    };

    private void Section(string id, string title, string lead, ReportTable table)
    {
        _html.Append("<section id=\"").Append(id).Append("\" aria-labelledby=\"").Append(id).Append("-title\">\n<h2 id=\"").Append(id).Append("-title\">").Append(Text(title)).Append("</h2>\n");
        Paragraph(lead);
        Table(table);
        _html.Append("</section>\n");
    }

    private void Table(ReportTable table)
    {
        bool isLong = table.Rows.Count > LongTable;
        _html.Append("<details open").Append(isLong ? " class=\"long\"" : "").Append("><summary>Table: ").Append(Counted.Of(table.Rows.Count, "row"))
            .Append("</summary>\n<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"").Append(Text(table.Caption)).Append("\"><table>\n<caption>").Append(Text(table.Caption)).Append("</caption>\n<thead><tr>");
        foreach (ReportColumn column in table.Columns)
        {
            _html.Append("<th scope=\"col\"").Append(column.IsNumber ? " class=\"number\"" : "").Append('>').Append(Text(column.Header)).Append("</th>");
        }

        _html.Append("</tr></thead>\n<tbody>\n");
        foreach (string[] row in table.Rows)
        {
            _html.Append("<tr>");
            for (int i = 0; i < row.Length; i++)
            {
                (string open, string close) = i == 0 ? ("<th scope=\"row\">", "</th>") : table.Columns[i].IsNumber ? ("<td class=\"number\">", "</td>") : ("<td>", "</td>");
                _html.Append(open).Append(Text(row[i])).Append(close);
            }

            _html.Append("</tr>\n");
        }

        _html.Append("</tbody></table></div></details>\n");
    }

    private void Foot()
    {
        _html.Append("</main>\n<footer>\n<p>Written by SparseFrontier ").Append(Text(Experiments.ModuleInformation.Version))
            .Append(". Charts by Vega, Vega-Lite and Vega-Embed, embedded in this file; nothing is fetched.</p>\n<details><summary>Licences of the embedded libraries</summary>\n");
        foreach (string license in ReportAssets.Licenses)
        {
            _html.Append("<h3>").Append(Text(license.Split('.')[0])).Append("</h3>\n<pre>").Append(Text(ReportAssets.Text(license))).Append("</pre>\n");
        }

        _html.Append("</details>\n</footer>\n");
    }

    private void List(string name, IReadOnlyList<string> items)
    {
        _html.Append("<ul class=\"").Append(name).Append("\">\n");
        foreach (string item in items)
        {
            _html.Append("<li>").Append(Text(item)).Append("</li>\n");
        }

        _html.Append("</ul>\n");
    }

    private void Paragraph(string text) => _html.Append("<p>").Append(Text(text)).Append("</p>\n");

    private static string Palette(IReadOnlyList<MethodLook> looks)
    {
        var style = new StringBuilder(":root {\n");
        for (int i = 0; i < looks.Count; i++)
        {
            style.Append(FormattableString.Invariant($"  --method-{i}: light-dark({looks[i].Light}, {looks[i].Dark});\n"));
        }

        return style.Append("}\n").ToString();
    }

    private static string Hash(string script) => Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(script)));
}
