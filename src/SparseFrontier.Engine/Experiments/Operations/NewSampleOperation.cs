using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Makes samples of tasks as <see cref="SparseAttentionSample"/>: what a run asks its model, without running anything.</summary>
public sealed class NewSampleOperation
{
    /// <summary>Tasks; wildcards match. Empty: Niah.</summary>
    public IReadOnlyList<string> Task { get; init; } = [];

    /// <summary>Checkpoint directories, or names of models: only tokenizer and chat template are read. Empty: the default model.</summary>
    public IReadOnlyList<string> Model { get; init; } = [];

    /// <summary>Tokens of the templated prompts at most. Empty: 2048.</summary>
    public IReadOnlyList<int> SequenceLength { get; init; } = [];

    /// <summary>Seeds. Empty: 43.</summary>
    public IReadOnlyList<long> Seed { get; init; } = [];

    /// <summary>Samples of each combination.</summary>
    public int SampleCount { get; init; } = 1;

    /// <summary>"Both", "First" or "Last".</summary>
    public string QuestionPosition { get; init; } = "Both";

    /// <summary>Whether prompts carry the short form of the instructions.</summary>
    public bool ShortInstructions { get; init; }

    /// <summary>"Name=value;Name=value" for the tasks.</summary>
    public string TaskParameter { get; init; } = "";

    /// <summary>Data file of the tasks that read one.</summary>
    public string? TaskDataPath { get; init; }

    /// <summary>Emits the samples; a combination that cannot be is an error on the sink, and the others are made.</summary>
    /// <exception cref="SparseFrontierException">ModelNotFound, TaskNotFound, ParameterInvalid, and what reading a tokenizer throws.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        List<EvaluationTask> tasks = [.. TaskRegistry.FindAll(Task.Count > 0 ? Task : ["Niah"])];
        foreach (string model in Model.DefaultIfEmpty(""))
        {
            string directory = ModelCatalog.Resolve(model);
            PromptEncoder encoder = SampleRequest.OpenEncoder(directory);
            foreach (EvaluationTask task in tasks)
            {
                foreach (int length in SequenceLength.DefaultIfEmpty(2048))
                {
                    foreach (long seed in Seed.DefaultIfEmpty(43))
                    {
                        try
                        {
                            Emit(task, ModelCatalog.NameOf(directory), encoder, length, seed, sink, cancellationToken);
                        }
                        catch (SparseFrontierException e)
                        {
                            sink.Error(e);
                        }
                    }
                }
            }
        }
    }

    private void Emit(EvaluationTask task, string model, PromptEncoder encoder, int length, long seed, IPipelineSink sink, CancellationToken cancellationToken)
    {
        var request = new SampleRequest
        {
            Task = task.Name,
            SequenceLength = length,
            SampleCount = SampleCount,
            Seed = seed,
            QuestionPosition = QuestionPosition,
            ShortInstructions = ShortInstructions,
            TaskParameter = TaskParameter,
            TaskDataPath = TaskDataPath,
        };
        (TaskSource source, int count) = request.Open(encoder, sink);
        for (int index = 0; index < count; index++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            TaskSample sample = source.Generate(index);
            sink.Object(new SparseAttentionSample
            {
                Task = task.Name,
                Model = model,
                SequenceLength = length,
                Seed = seed,
                Index = index,
                PromptTokens = sample.PromptTokens,
                TaskParameters = TaskParameter,
                Prompt = encoder.Template(sample.Prompt),
                GoldJson = sample.GoldJson,
                TargetResponse = sample.TargetResponse,
            });
        }
    }
}
