using SparseFrontier.HelpBuilder;

// HelpBuilder help ROOT        writes what Get-Help reads: en-US/*-Help.xml and en-US/about_*.help.txt. Part of every build.
// HelpBuilder markdown ROOT    writes docs/cmdlets/*.md, which are committed; a test compares them.
if (args is not ["help" or "markdown", _])
{
    Console.Error.WriteLine("Usage: HelpBuilder help|markdown ROOT, with the repository's root folder.");
    return 1;
}

string root = Path.GetFullPath(args[1]);
IReadOnlyList<CmdletHelp> cmdlets = HelpReader.Read();
IReadOnlyDictionary<string, string> files = args[0] == "help" ? HelpFiles.Installed(cmdlets, root) : HelpFiles.Markdown(cmdlets);
HelpFiles.Write(files, root, args[0] == "help" ? "en-US" : Path.Combine("docs", "cmdlets"));
return 0;
