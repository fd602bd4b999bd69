using System.CommandLine;
using SparseFrontier.Cli.Verbs;

namespace SparseFrontier.Cli;

/// <summary>All verbs. A new verb is one file and one line here.</summary>
internal static class Root
{
    /// <summary>The command line.</summary>
    public static RootCommand Create() => ShellCompletion.With(
        new RootCommand("Runs sparse-attention methods on long-context tasks and tells which method at which sparsity is worth it.")
        {
            CommonOptions.Json,
            CommonOptions.Verbose,
            RunVerb.Create(),
            SubmitVerb.Create(),
            JobsVerb.Create(),
            new Command("job", "Acts on submitted jobs.") { JobStopVerb.Create() },
            MergeVerb.Create(),
            ParetoVerb.Create(),
            ToleranceVerb.Create(),
            CompareVerb.Create(),
            ClaimVerb.Create(),
            EffectVerb.Create(),
            FindingsVerb.Create(),
            ScalingVerb.Create(),
            RecommendVerb.Create(),
            ReportVerb.Create(),
            CostVerb.Create(),
            ResultsVerb.Create(),
            ExportVerb.Create(),
            ImportVerb.Create(),
            new Command("bundle", "Writes runs as one file to cite, and scores such a file again.") { BundleExportVerb.Create(), BundleImportVerb.Create() },
            MethodsVerb.Create(),
            TasksVerb.Create(),
            ModelsVerb.Create(),
            DevicesVerb.Create(),
            new Command("model", "Checks a checkpoint.") { ModelVerifyVerb.Create() },
            TokenizeVerb.Create(),
            AttendVerb.Create(),
            PatternVerb.Create(),
            MaskVerb.Create(),
            TraceVerb.Create(),
            new Command("task", "Generates and scores samples of a task.") { TaskGenerateVerb.Create(), TaskScoreVerb.Create() },
            new Command("kernels", "Checks and times the kernels.") { KernelsTestVerb.Create(), KernelsMeasureVerb.Create() },
        });
}
