using System.Text.RegularExpressions;
using SparseFrontier.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public class HostInformationTests
{
    [Fact]
    public void A_processor_is_named_with_what_the_system_says_of_it()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && HostInformation.ProcessorFamily.Length > 0, "no x86 processor under Linux, or its instructions are switched off");
        string text = File.ReadAllText("/proc/cpuinfo");
        Assert.Equal($"family {Value("cpu family")} model {Value("model")}", HostInformation.ProcessorFamily);
        Assert.Equal(Value("model name"), HostInformation.ProcessorName);

        string Value(string name) => Regex.Match(text, $@"^{name}\s*:\s*(.*?)\s*$", RegexOptions.Multiline).Groups[1].Value;
    }
}
