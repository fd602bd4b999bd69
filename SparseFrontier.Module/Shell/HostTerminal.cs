using System.Management.Automation;
using System.Management.Automation.Host;
using SparseFrontier.Reporting.Terminal;

namespace SparseFrontier.Shell;

/// <summary>What the host of a cmdlet can show.</summary>
internal static class HostTerminal
{
    /// <summary>Looks at the host, the console and $PSStyle.</summary>
    /// <param name="cmdlet">The cmdlet.</param>
    /// <param name="width">Columns asked for; 0: the host's.</param>
    /// <param name="ascii">Whether only ASCII is wanted, without colour.</param>
    public static TerminalCapabilities Find(PSCmdlet cmdlet, int width, bool ascii)
    {
        TerminalCapabilities found = TerminalCapabilities.Detect(width > 0 ? width : HostWidth(cmdlet), Console.IsOutputRedirected);
        bool plain = new PSObject(cmdlet.GetVariableValue("PSStyle") ?? "").Properties["OutputRendering"]?.Value?.ToString() == "PlainText";
        return ascii ? found with { Color = false, Unicode = false } : found with { Color = found.Color && !plain };
    }

    // A host without a window throws, or says 0.
    private static int? HostWidth(PSCmdlet cmdlet)
    {
        try
        {
            return cmdlet.Host.UI?.RawUI?.WindowSize.Width;
        }
        catch (Exception e) when (e is HostException or NotImplementedException or IOException or InvalidOperationException or PlatformNotSupportedException)
        {
            return null;
        }
    }
}
