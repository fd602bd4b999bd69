using System.CommandLine;
using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Tasks;

namespace SparseFrontier.Cli;

/// <summary>What a shell completes the values of options with, wherever these stand; verbs and options complete by themselves.</summary>
internal static class ShellCompletion
{
    private static readonly Dictionary<string, Func<IEnumerable<string>>> s_values = new(StringComparer.Ordinal)
    {
        ["--method"] = () => MethodRegistry.All.Select(m => m.Name).Distinct(),
        ["--decode-method"] = () => MethodRegistry.DecodeMethods.Select(m => m.Name),
        ["--task"] = () => TaskRegistry.Tasks.Select(t => t.Name),
        ["--model"] = () => ModelCatalog.All().Select(ModelCatalog.NameOf),
        ["--preset"] = Options.Words<SweepPreset>,
    };

    /// <summary>The same command, whose options know their values.</summary>
    public static T With<T>(T command)
        where T : Command
    {
        foreach (Option option in command.Options)
        {
            if (s_values.TryGetValue(option.Name, out Func<IEnumerable<string>>? values))
            {
                option.CompletionSources.Add(_ => Completed(values));
            }
        }

        foreach (Command verb in command.Subcommands)
        {
            With(verb);
        }

        return command;
    }

    // Whoever presses Tab is shown no error: of a folder of models that cannot be read, say.
    private static IEnumerable<string> Completed(Func<IEnumerable<string>> values)
    {
        try
        {
            return [.. values()];
        }
        catch (Exception e) when (e is SparseFrontierException or IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
