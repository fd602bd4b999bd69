namespace SparseFrontier.HelpBuilder;

/// <summary>Which files help consists of. Texts end lines with a line feed on every system.</summary>
public static class HelpFiles
{
    /// <summary>What Get-Help reads, by file name: the cmdlets' help and the about topics.</summary>
    public static IReadOnlyDictionary<string, string> Installed(IReadOnlyList<CmdletHelp> cmdlets, string root)
    {
        var files = new Dictionary<string, string> { ["SparseFrontier.Module.dll-Help.xml"] = MamlWriter.Write(cmdlets) };
        foreach (string topic in Directory.EnumerateFiles(Path.Combine(root, "docs"), "about_*.md").Order(StringComparer.Ordinal))
        {
            files[$"{Path.GetFileNameWithoutExtension(topic)}.help.txt"] = AboutTopic.ToText(File.ReadAllText(topic));
        }

        return files;
    }

    /// <summary>The pages of docs/cmdlets, by file name.</summary>
    public static IReadOnlyDictionary<string, string> Markdown(IReadOnlyList<CmdletHelp> cmdlets) =>
        cmdlets.ToDictionary(c => $"{c.Name}.md", MarkdownWriter.Write);

    /// <summary>Makes a folder hold exactly these files; what has not changed is not written.</summary>
    public static void Write(IReadOnlyDictionary<string, string> files, string root, string folder)
    {
        string directory = Directory.CreateDirectory(Path.Combine(root, folder)).FullName;
        foreach (string stale in Directory.EnumerateFiles(directory).Where(f => !files.ContainsKey(Path.GetFileName(f))))
        {
            File.Delete(stale);
        }

        foreach ((string name, string text) in files)
        {
            File.WriteAllText(Path.Combine(directory, name), text);
        }
    }

    /// <summary>What to read next: the overview, and the topic of the cmdlet's noun.</summary>
    internal static IEnumerable<string> Related(CmdletHelp help)
    {
        yield return "about_SparseFrontier";
        if (help.Noun.EndsWith("Method", StringComparison.Ordinal) || help.Noun is "SparseAttentionSweep" or "SparseAttentionRun")
        {
            yield return "about_SparseAttention_Methods";
        }

        if (help.Noun is "SparseAttentionResult" or "SparseAttentionRun" or "SparsityPareto")
        {
            yield return "about_SparseAttention_Results";
        }

        if (help.Noun.Contains("Kernel", StringComparison.Ordinal) || help.Noun == "SparseAttentionDevice")
        {
            yield return "about_SparseAttention_Cuda";
        }
    }
}
