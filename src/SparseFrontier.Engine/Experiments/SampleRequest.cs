using System.Globalization;
using SparseFrontier.Models.Tokenizers;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments;

/// <summary>Samples of a task that somebody asks for, outside of any run.</summary>
public sealed record SampleRequest
{
    /// <summary>The longest prompts that are made, longer than any model's context: a text of 2 GiB is more than one string holds.</summary>
    private const int Longest = 1 << 24;

    /// <summary>Task.</summary>
    public required string Task { get; init; }

    /// <summary>Tokens of the templated prompt at most.</summary>
    public required int SequenceLength { get; init; }

    /// <summary>Samples.</summary>
    public int SampleCount { get; init; } = 1;

    /// <summary>Index of the first sample.</summary>
    public int Start { get; init; }

    /// <summary>Seed.</summary>
    public long Seed { get; init; } = 43;

    /// <summary>"evaluation", "calibration" or "training".</summary>
    public string Split { get; init; } = "evaluation";

    /// <summary>"Both", "First" or "Last".</summary>
    public string QuestionPosition { get; init; } = "Both";

    /// <summary>Whether prompts carry the short form of the instructions.</summary>
    public bool ShortInstructions { get; init; }

    /// <summary>"Name=value;Name=value" for the task.</summary>
    public string TaskParameter { get; init; } = "";

    /// <summary>Data file of the tasks that read one.</summary>
    public string? TaskDataPath { get; init; }

    /// <summary>How the prompts of a model are templated and tokenised.</summary>
    /// <param name="path">tokenizer.json or the directory that holds it.</param>
    /// <exception cref="SparseFrontierException">TokenizerMissing, TokenizerInvalid, TokenizerUnsupported or ChatTemplateUnsupported.</exception>
    public static PromptEncoder OpenEncoder(string path)
    {
        Tokenizer tokenizer = Tokenizer.Load(path);
        return PromptEncoder.For(tokenizer, Directory.Exists(path) ? ChatTemplate.Load(path) : null);
    }

    /// <summary>Opens the task; a warning says so where its data hold fewer samples than asked for.</summary>
    /// <param name="encoder">The model's template and tokenizer.</param>
    /// <param name="sink">Takes the warning.</param>
    /// <returns>The samples, and how many of them there are from <see cref="Start"/> on, at most <see cref="SampleCount"/>.</returns>
    /// <exception cref="SparseFrontierException">What opening the task throws; ParameterInvalid, SequenceTooLong.</exception>
    public (TaskSource Source, int Count) Open(PromptEncoder encoder, IPipelineSink sink)
    {
        EvaluationTask task = TaskRegistry.Find(Task);
        if (SequenceLength > Longest)
        {
            throw new SparseFrontierException(ErrorIds.SequenceTooLong, FormattableString.Invariant($"Prompts of {SequenceLength} tokens are not made: {Longest} at most."), SequenceLength);
        }

        if (SampleCount < 1 || Start < 0)
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid,
                $"Samples are asked for by a count from 1 and a first index from 0, not by {SampleCount} and {Start}.",
                SampleCount < 1 ? SampleCount : Start);
        }

        if (!Enum.TryParse(QuestionPosition, ignoreCase: true, out QuestionPosition position) || !Enum.IsDefined(position))
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, $"The question stands Both, First or Last, not '{QuestionPosition}'.", QuestionPosition);
        }

        TaskSource source = task.Open(
            new TaskOptions
            {
                SequenceLength = SequenceLength,
                Seed = Seed,
                Split = Split,
                QuestionPosition = position,
                ShortInstructions = ShortInstructions,
                Parameters = ParseParameters(TaskParameter),
                DataPath = TaskDataPath,
            },
            encoder);
        int count = source.Count is int available ? Math.Min(SampleCount, Math.Max(0, available - Start)) : SampleCount;
        if (count < SampleCount)
        {
            sink.Warning($"{task.Name} has {Counted.Of(source.Count ?? 0, "sample")} here; there are {count} from number {Start} on.");
        }

        return (source, count);
    }

    private static Dictionary<string, double> ParseParameters(string text)
    {
        var values = new Dictionary<string, double>(StringComparer.OrdinalIgnoreCase);
        foreach (string part in text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals < 1 || !double.TryParse(part[(equals + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out double value))
            {
                throw new SparseFrontierException(ErrorIds.ParameterInvalid, $"'{part}' is not of the form Name=number.", part);
            }

            values[part[..equals].Trim()] = value;
        }

        return values;
    }
}
