using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using System.Text;
using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Tasks;

namespace SparseFrontier.Cli;

/// <summary>How a line may go on, for shells: values of options and arguments are here; verbs and options complete by themselves.</summary>
internal static class ShellCompletion
{
    private const string Directive = "[suggest:";

    // Stand for a blank and a quote within a word while the parser, which knows other quotes than shells do, has the line.
    private const char Blank = '\uE000';
    private const char Quote = '\uE001';

    // By the name of an option or argument, with its verb's before it where others mean something else by it.
    private static readonly Dictionary<string, Func<IEnumerable<string>>> s_values = new(StringComparer.Ordinal)
    {
        ["--method"] = () => MethodRegistry.All.Select(m => m.Name).Distinct(),
        ["--decode-method"] = () => MethodRegistry.DecodeMethods.Select(m => m.Name),
        ["--task"] = () => TaskRegistry.Tasks.Select(t => t.Name),
        ["--model"] = () => ModelCatalog.All().Select(ModelCatalog.NameOf),
        ["--preset"] = Options.Words<SweepPreset>,
        ["findings --name"] = () => GetFindingOperation.Claims.Select(c => c.Name),
        ["claim CLAIM"] = () => Claims(MethodRegistry.PrefillMethods.Select(m => m.Name)).Concat(Claims(MethodRegistry.DecodeMethods.Select(m => m.Name))).Distinct(),
    };

    /// <summary>The same command, whose options and arguments know their values.</summary>
    public static T With<T>(T command)
        where T : Command
    {
        foreach (Option option in command.Options)
        {
            Add(option, option.ValueType.IsArray, option.CompletionSources);
        }

        foreach (Argument argument in command.Arguments)
        {
            // Without a name of its own, help would list all that it is completed to.
            argument.HelpName ??= argument.Name;
            Add(argument, argument.ValueType.IsArray, argument.CompletionSources);
        }

        foreach (Command verb in command.Subcommands)
        {
            With(verb);
        }

        return command;

        void Add(Symbol symbol, bool isList, List<Func<CompletionContext, IEnumerable<CompletionItem>>> sources)
        {
            if ((s_values.GetValueOrDefault(symbol.Name) ?? s_values.GetValueOrDefault($"{command.Name} {symbol.Name}")) is { } values)
            {
                sources.Add(context => Completed(values, isList, Unmasked(context.WordToComplete)).Select(v => new CompletionItem(Masked(v))));
            }
        }
    }

    /// <summary>Whether a shell asks: "[suggest:27]" and the line, up to the cursor or longer.</summary>
    public static bool IsAsked(string[] arguments) => arguments is [{ } first, _] && first.StartsWith(Directive, StringComparison.Ordinal) && first.EndsWith(']');

    /// <summary>What the word before the cursor may become, without the quotes that a shell wants around it.</summary>
    public static IEnumerable<string> Suggest(string[] arguments)
    {
        string line = arguments[1];
        int cursor = int.TryParse(arguments[0].AsSpan()[Directive.Length..^1], NumberStyles.None, CultureInfo.InvariantCulture, out int position) ? Math.Min(position, line.Length) : line.Length;
        List<string> words = Words(line[..cursor]);
        if (words.Count < 2)
        {
            return [];
        }

        string masked = string.Join(' ', words.Skip(1).Select(Masked));
        return Root.Create().Parse(masked).GetCompletions(masked.Length).Select(c => Unmasked(c.Label)).Where(l => l.StartsWith(words[^1], StringComparison.OrdinalIgnoreCase));
    }

    // Each whole, so that a shell goes on by what several have in common. Methods of one phase are compared.
    private static IEnumerable<string> Claims(IEnumerable<string> methods) =>
        from first in methods
        from second in methods
        where first != second
        from relation in (string[])["over", "not below"]
        select $"{first} {relation} {second}";

    private static IEnumerable<string> Completed(Func<IEnumerable<string>> values, bool isList, string word)
    {
        int last = isList ? word.LastIndexOf(',') + 1 : 0;
        while (last > 0 && last < word.Length && word[last] == ' ')
        {
            last++;
        }

        string[] before = word[..last].Split(',', StringSplitOptions.TrimEntries);

        // Whoever presses Tab is shown no error, of a folder of models that cannot be read, say. What would act on the terminal is not offered.
        try
        {
            return [.. values().Where(v => VisibleText.Line(v) == v && !before.Contains(v, StringComparer.OrdinalIgnoreCase)).Select(v => word[..last] + v)];
        }
        catch (Exception e) when (e is SparseFrontierException or IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    // The words of a line as a shell reads them; the last is the one that the cursor is in, empty after a blank. A backslash before a letter or a digit is of a path of Windows.
    private static List<string> Words(string line)
    {
        var words = new List<string>();
        StringBuilder? word = null;
        char quote = '\0';
        for (int i = 0; i < line.Length; i++)
        {
            char c = line[i];
            if (c == '\\' && quote != '\'' && i + 1 < line.Length && !char.IsLetterOrDigit(line[i + 1]))
            {
                (word ??= new StringBuilder()).Append(line[++i]);
            }
            else if (quote != '\0' ? c == quote : c is '"' or '\'')
            {
                quote = quote == '\0' ? c : '\0';
                word ??= new StringBuilder();
            }
            else if (c == ' ' && quote == '\0')
            {
                if (word is not null)
                {
                    words.Add(word.ToString());
                }

                word = null;
            }
            else
            {
                (word ??= new StringBuilder()).Append(c);
            }
        }

        words.Add(word?.ToString() ?? "");
        return words;
    }

    private static string Masked(string text) => text.Replace(' ', Blank).Replace('"', Quote);

    private static string Unmasked(string text) => text.Replace(Blank, ' ').Replace(Quote, '"');
}
