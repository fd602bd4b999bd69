using System.Globalization;
using System.Text;
using SparseFrontier.Models.Tokenizers;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Writes samples of a task as JSON lines: index, templated prompt, prompt tokens, gold fields and a response that scores 1.</summary>
public sealed class GenerateTaskOperation
{
    /// <summary>Task.</summary>
    public required string Task { get; init; }

    /// <summary>Path of tokenizer.json or of the checkpoint directory that holds it, whose chat template is then used too.</summary>
    public required string Tokenizer { get; init; }

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

    /// <summary>File to write; null: <see cref="Writer"/>.</summary>
    public string? Output { get; init; }

    /// <summary>Where lines go without <see cref="Output"/>.</summary>
    public TextWriter Writer { get; init; } = TextWriter.Null;

    /// <summary>Whether an existing file is overwritten.</summary>
    public bool Force { get; init; }

    /// <summary>How the prompts of a model are templated and tokenised.</summary>
    /// <param name="path">tokenizer.json or the directory that holds it.</param>
    /// <exception cref="SparseFrontierException">TokenizerMissing, TokenizerInvalid, TokenizerUnsupported or ChatTemplateUnsupported.</exception>
    public static PromptEncoder OpenEncoder(string path)
    {
        Tokenizer tokenizer = Models.Tokenizers.Tokenizer.Load(path);
        return PromptEncoder.For(tokenizer, Directory.Exists(path) ? ChatTemplate.Load(path) : null);
    }

    /// <summary>Generates and writes.</summary>
    /// <exception cref="SparseFrontierException">What opening the tokenizer or the task throws; ParameterInvalid, OutputFileExists, ResultWriteFailed.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        EvaluationTask task = TaskRegistry.Find(Task);
        if (SampleCount < 1 || Start < 0)
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, "Samples are asked for by a count from 1 and a first index from 0.", SampleCount);
        }

        if (!Enum.TryParse(QuestionPosition, ignoreCase: true, out QuestionPosition position) || !Enum.IsDefined(position))
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, $"The question stands Both, First or Last, not '{QuestionPosition}'.", QuestionPosition);
        }

        PromptEncoder encoder = OpenEncoder(Tokenizer);
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
            sink.Warning($"{task.Name} has {source.Count} samples here; {count} are written.");
        }

        if (Output is null)
        {
            TaskStream.WriteSamples(Writer, source, encoder, count, Start, cancellationToken);
        }
        else if (sink.ShouldProcess(Output, $"Write {count} samples of {task.Name}"))
        {
            WriteFile(Output, writer => TaskStream.WriteSamples(writer, source, encoder, count, Start, cancellationToken));
        }
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

    // A new file appears when it is whole; what exists (a device too) is written in place.
    private void WriteFile(string path, Action<TextWriter> write)
    {
        bool exists = File.Exists(path);
        if (exists && !Force)
        {
            throw new SparseFrontierException(ErrorIds.OutputFileExists, $"'{path}' exists already. Overwrite it with --force.", path);
        }

        string target = exists ? path : path + ".tmp";
        try
        {
            using (var writer = new StreamWriter(target, append: false, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)))
            {
                write(writer);
            }

            if (!exists)
            {
                File.Move(target, path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SparseFrontierException(ErrorIds.ResultWriteFailed, $"'{path}' cannot be written: {e.Message} Free space or name another file.", path, e);
        }
        finally
        {
            // Nothing is left after a move; after a failure or a stop half a file is.
            if (!exists && File.Exists(target))
            {
                File.Delete(target);
            }
        }
    }
}
