namespace SparseFrontier.Benchmarks.Peers;

/// <summary>Where fetch-peers.sh puts the libraries that we are compared with: artifacts/peers of the repository.</summary>
internal static class PeerFolder
{
    /// <summary>The folder, which need not exist.</summary>
    public static string Path { get; } = System.IO.Path.Combine(RepositoryFolder.Path, "artifacts", "peers");
}
