using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier tasks</c>.</summary>
internal static class TasksVerb
{
    public static Command Create()
    {
        Argument<string[]> names = Options.Names("NAME", "Names; wildcards match.");
        Option<string[]> category = Options.Texts("--category", "Only tasks of these categories; wildcards match.", "C");
        return new Command("tasks", "Lists the tasks.") { names, category }.Does((parsed, sink, token) =>
        {
            new GetTaskOperation { Name = parsed.GetValue(names)!, Category = parsed.GetValue(category)! }.Execute(sink, token);
            sink.WriteTable<SparseAttentionTask>(Tables.Tasks);
        });
    }
}
