using System.Diagnostics;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Small programs that stand for others.</summary>
internal static class TestProgram
{
    /// <summary>Writes a script of bash that can be started.</summary>
    /// <param name="path">Its file, replaced if it is there.</param>
    /// <param name="body">What it does.</param>
    public static void Write(string path, string body)
    {
        string script = $"#!/bin/bash\n{body}\n";
        if (OperatingSystem.IsWindows())
        {
            File.WriteAllText(path, script);
            return;
        }

        // Another process writes it: a file that this one has open for writing may be inherited by what a test beside starts at that moment, and cannot be started meanwhile.
        using Process writer = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "cat >\"$0\" && chmod 700 \"$0\"", path]) { RedirectStandardInput = true })!;
        writer.StandardInput.Write(script);
        writer.StandardInput.Close();
        writer.WaitForExit();
        if (writer.ExitCode != 0)
        {
            throw new IOException($"'{path}' cannot be written.");
        }
    }
}
