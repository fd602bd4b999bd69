using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Reporting.Findings;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier findings</c>: what results say of the paper's claims.</summary>
internal static class FindingsVerb
{
    public static Command Create()
    {
        Argument<string[]> results = ResultFilters.Paths();
        Option<string[]> name = Options.Texts("--name", "Only these claims; wildcards match.", "NAME");
        Option<string> series = Options.Text("--series", "Scaled: windows, forced sets, floors and tiles in proportion to the length; Absolute: the paper's values.", "S", "Scaled");
        var markdown = new Option<bool>("--markdown") { Description = "Both series as a page of markdown, as docs/findings.md is." };
        Option<string[]> patterns = Options.Texts("--patterns", "Files that `pattern --json` wrote, such as docs/patterns.jsonl.br, for the page's first table.", "FILE,...");
        return new Command("findings", "Says of each claim of the paper whether results agree, disagree, have too few samples or cannot tell, and why.") { results, name, series, markdown, patterns }.Does((parsed, sink, token) =>
        {
            IReadOnlyList<SparseAttentionResult> rows = ResultFilters.Read(parsed.GetValue(results)!, sink, token);
            if (parsed.GetValue(markdown))
            {
                sink.Receiver = page => sink.Output.Write((string)page);
                new WriteFindingPageOperation { Results = rows, PatternPath = parsed.GetValue(patterns)! }.Execute(sink, token);
                return;
            }

            new GetFindingOperation { Results = rows, Name = parsed.GetValue(name)!, Series = parsed.GetValue(series)! }.Execute(sink, token);
            sink.WriteTable<SparsityFinding>(Tables.Findings);
        });
    }
}
