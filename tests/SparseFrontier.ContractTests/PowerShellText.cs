using System.Text.RegularExpressions;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>Checks PowerShell code in documents without a PowerShell: cmdlets and their parameters exist.</summary>
internal static partial class PowerShellText
{
    private static readonly string[] s_common = ["WhatIf", "Confirm", "Verbose", "ErrorAction", "ErrorVariable", "ProgressAction"];

    /// <summary>Fails where code names a cmdlet or a parameter of ours that does not exist.</summary>
    /// <param name="code">PowerShell code.</param>
    /// <param name="place">Where it stands.</param>
    public static void RequireKnownNames(string code, string place)
    {
        foreach (string line in Commands(code))
        {
            Match command = CmdletCall().Match(line);
            if (!command.Success)
            {
                continue;
            }

            CmdletMetadata? cmdlet = ModuleAssembly.Cmdlets.SingleOrDefault(c => c.Name == command.Value);
            Assert.True(cmdlet is not null, $"{place}: there is no {command.Value}");
            string[] known = [.. cmdlet.Parameters.SelectMany(p => p.Aliases.Append(p.Name)), .. s_common];
            Assert.All(
                ParameterName().Matches(line[(command.Index + command.Length)..]).Select(m => m.Groups[1].Value),
                p => Assert.True(known.Contains(p, StringComparer.OrdinalIgnoreCase), $"{place}: {cmdlet.Name} has no -{p}"));
        }
    }

    // Pipelines may run over lines; comments and nested parentheses start new commands as far as names and parameters go.
    private static string[] Commands(string block) =>
        Regex.Replace(Regex.Replace(block, "#[^\n]*", ""), @"[|`]\s*\n\s*", "|").Split(['|', '\n', ';', '(', ')', '}']);

    [GeneratedRegex(@"\b[A-Z][a-z]+-(?:Spars|Kernel)\w+")]
    private static partial Regex CmdletCall();

    [GeneratedRegex(@"(?<=\s)-([A-Za-z]+)")]
    private static partial Regex ParameterName();
}
