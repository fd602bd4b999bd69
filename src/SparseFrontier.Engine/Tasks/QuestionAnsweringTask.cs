namespace SparseFrontier.Tasks;

/// <summary>
/// A question on one document among many (paper, section 4.1). The data are not part of the product: they are read from
/// <see cref="TaskOptions.DataPath"/>, a file or a directory that holds it under its usual name.
/// </summary>
public abstract class QuestionAnsweringTask : EvaluationTask
{
    /// <inheritdoc/>
    public override string Category => "QuestionAnswering";

    /// <inheritdoc/>
    public override string Dispersion => "Low";

    /// <inheritdoc/>
    public override string Scope => "Low";

    /// <inheritdoc/>
    public override IReadOnlyList<TaskParameter> Parameters => [];

    /// <inheritdoc/>
    public override bool ReadsData => true;

    /// <summary>Names under which a directory may hold the file.</summary>
    private protected abstract string[] FileNames { get; }

    /// <summary>Where to get the file.</summary>
    private protected abstract string Origin { get; }

    private protected abstract PromptWording Wording { get; }

    /// <inheritdoc/>
    public override string DataFile(TaskOptions options)
    {
        string? path = options.DataPath;
        string? file = path is null ? null
            : File.Exists(path) ? path
            : FileNames.Select(n => Path.Combine(path, n)).FirstOrDefault(File.Exists);
        return file ?? throw new SparseFrontierException(
            ErrorIds.TaskDataMissing,
            (path is null
                ? $"{Name} reads its questions from a file, and no path of one was given."
                : $"{Name} reads its questions from a file, and neither is '{path}' one nor does it hold {string.Join(" or ", FileNames)}.")
            + $" {Origin} Give the path of the file or of its directory as the task's data path.",
            path);
    }

    private protected abstract QuestionAnsweringData Read(string path);

    private protected abstract string GoldJson(QuestionEntry question);

    /// <inheritdoc/>
    protected override TaskSource Open(TaskOptions options, IReadOnlyDictionary<string, int> parameters, PromptEncoder encoder)
    {
        string path = DataFile(options);
        QuestionAnsweringData data;
        try
        {
            data = Read(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new SparseFrontierException(ErrorIds.TaskDataMissing, $"{path} cannot be read: {exception.Message}", path, exception);
        }

        return new QuestionAnsweringSource(this, options, encoder, data, Wording, GoldJson);
    }
}
