namespace SparseFrontier.Benchmarks;

/// <summary>The repository that this program was built in or copied to with it.</summary>
internal static class RepositoryFolder
{
    /// <summary>The folder that holds SparseFrontier.slnx; the program's own where there is none.</summary>
    public static string Path { get; } = Find();

    private static string Find()
    {
        string? directory = AppContext.BaseDirectory;
        while (directory is not null && !File.Exists(System.IO.Path.Combine(directory, "SparseFrontier.slnx")))
        {
            directory = System.IO.Path.GetDirectoryName(directory);
        }

        return directory ?? AppContext.BaseDirectory;
    }
}
