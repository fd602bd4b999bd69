using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier models</c>.</summary>
internal static class ModelsVerb
{
    public static Command Create()
    {
        var paths = new Argument<string[]>("PATH")
        {
            Description = "Checkpoint directories, folders of them, or names of embedded models; wildcards match. Without any: the embedded ones and those in SPARSEFRONTIER_MODELS.",
            Arity = ArgumentArity.ZeroOrMore,
            DefaultValueFactory = _ => [],
        };
        return new Command("models", "Lists checkpoints.") { paths }.Does((parsed, sink, token) =>
        {
            new GetModelOperation { Path = parsed.GetValue(paths)! }.Execute(sink, token);
            sink.WriteTable<SparseAttentionModel>(Tables.Models);
        });
    }
}
