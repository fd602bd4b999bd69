using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier devices</c>.</summary>
internal static class DevicesVerb
{
    public static Command Create() =>
        new Command("devices", "Lists the devices and says what is missing for GPUs; with --verbose also where it was looked for.").Does((_, sink, token) =>
        {
            new GetDeviceOperation().Execute(sink, token);
            sink.WriteTable<SparseAttentionDevice>(Tables.Devices);
        });
}
