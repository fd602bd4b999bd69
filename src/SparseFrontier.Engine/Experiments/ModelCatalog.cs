namespace SparseFrontier.Experiments;

/// <summary>
/// Where checkpoints are found by name: the folders of <c>SPARSEFRONTIER_MODELS</c>, then the models that come with the program (the nearest
/// folder "models" at or above its assembly).
/// </summary>
public static class ModelCatalog
{
    /// <summary>Name of the model that runs use when none is named.</summary>
    public const string DefaultName = "frontier-3m";

    /// <summary>Folders that hold checkpoint directories, in the order of search.</summary>
    public static IReadOnlyList<string> Folders()
    {
        var folders = new List<string>();
        string? named = Environment.GetEnvironmentVariable("SPARSEFRONTIER_MODELS");
        folders.AddRange((named ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Path.GetFullPath));

        // The assembly's own place: under PowerShell the process's base directory is PowerShell's.
        string? folder = Path.GetDirectoryName(typeof(ModelCatalog).Assembly.Location);
        for (folder = string.IsNullOrEmpty(folder) ? AppContext.BaseDirectory : folder; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            string models = Path.Combine(folder, "models");
            if (Directory.Exists(models) && Directory.EnumerateDirectories(models).Any(IsCheckpoint))
            {
                folders.Add(models);
                break;
            }
        }

        return folders;
    }

    /// <summary>Directories of all checkpoints that can be named, by name.</summary>
    public static IReadOnlyList<string> All() =>
        [.. Folders().Where(Directory.Exists).SelectMany(Directory.EnumerateDirectories).Where(IsCheckpoint)
            .DistinctBy(NameOf, StringComparer.OrdinalIgnoreCase).OrderBy(NameOf, StringComparer.Ordinal)];

    /// <summary>The directory of a model: a path, or a name.</summary>
    /// <param name="model">Path or name; empty: the default.</param>
    /// <exception cref="SparseFrontierException">ModelNotFound; the message lists the nearest names.</exception>
    public static string Resolve(string model)
    {
        string name = model.Length == 0 ? DefaultName : model;
        if (Directory.Exists(name) && (IsCheckpoint(name) || All().All(d => !NameOf(d).Equals(name, StringComparison.OrdinalIgnoreCase))))
        {
            return Path.GetFullPath(name);
        }

        IReadOnlyList<string> all = All();
        return all.FirstOrDefault(d => NameOf(d).Equals(name, StringComparison.OrdinalIgnoreCase))
            ?? throw new SparseFrontierException(
                ErrorIds.ModelNotFound,
                $"There is no model '{name}': neither a directory of that path nor a checkpoint of that name in {string.Join(", ", Folders().DefaultIfEmpty("(no folder of models)"))}. "
                + (all.Count == 0 ? "Give the path of a checkpoint directory." : NameMatcher.Suggestion(name, [.. all.Select(NameOf)])),
                name);
    }

    /// <summary>The name of a model: the last part of its path.</summary>
    public static string NameOf(string model) => Path.GetFileName(Path.TrimEndingDirectorySeparator(model.Length == 0 ? DefaultName : model));

    /// <summary>Whether a directory holds a checkpoint.</summary>
    public static bool IsCheckpoint(string directory) => File.Exists(Path.Combine(directory, "config.json"));
}
