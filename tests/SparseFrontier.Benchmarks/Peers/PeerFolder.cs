namespace SparseFrontier.Benchmarks.Peers;

/// <summary>Where fetch-peers.sh puts the libraries that we are compared with: artifacts/peers of the repository.</summary>
internal static class PeerFolder
{
    /// <summary>The folder, which need not exist.</summary>
    public static string Path { get; } = Find();

    private static string Find()
    {
        string? directory = AppContext.BaseDirectory;
        while (directory is not null && !File.Exists(System.IO.Path.Combine(directory, "SparseFrontier.slnx")))
        {
            directory = System.IO.Path.GetDirectoryName(directory);
        }

        return System.IO.Path.Combine(directory ?? AppContext.BaseDirectory, directory is null ? "peers" : "artifacts/peers");
    }
}
