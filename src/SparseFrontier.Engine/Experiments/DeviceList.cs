using System.Globalization;
using System.Text.RegularExpressions;

namespace SparseFrontier.Experiments;

/// <summary>
/// The devices that a run names: "cpu", "cuda:0", or several GPUs. Samples are spread over what commas divide, each with a worker process of its own; a model's
/// layers are spread over GPUs that a plus joins, "cuda:0+cuda:1". "cuda:all" stands for every GPU that can be used.
/// </summary>
internal static partial class DeviceList
{
    private const char Joint = '+';

    /// <summary>The devices that samples are spread over, names as the rows have them.</summary>
    /// <param name="text">What the run names.</param>
    /// <param name="usable">Names of the GPUs that can be used, for "cuda:all".</param>
    /// <exception cref="SparseFrontierException">ParameterInvalid: a GPU is named twice, or another device beside GPUs. Whether a device is there is not looked at.</exception>
    public static IReadOnlyList<string> Parse(string text, Func<IReadOnlyList<string>> usable)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Trim().Equals("cuda:all", StringComparison.OrdinalIgnoreCase))
        {
            return usable();
        }

        string[] groups = [.. text.Split(',', StringSplitOptions.TrimEntries).Select(g => string.Join(Joint, g.Split(Joint, StringSplitOptions.TrimEntries).Select(Normalize)))];
        string[] names = [.. groups.SelectMany(Members)];
        if (names.Length > 1)
        {
            if (names.FirstOrDefault(n => !GpuName().IsMatch(n)) is { } other)
            {
                throw Invalid(text, $"'{other}' stands in a list of devices, which holds GPUs alone, by their numbers. Write cuda:0,cuda:1 or cuda:all, or name one device.");
            }

            if (names.GroupBy(n => n).FirstOrDefault(g => g.Count() > 1) is { } twice)
            {
                throw Invalid(text, $"The list of devices '{text}' names {twice.Key} twice, and a GPU computes one sample at a time. Name each GPU once.");
            }
        }

        return groups;
    }

    /// <summary>The GPUs that a device's layers are spread over, or the one device.</summary>
    public static string[] Members(string device) => device.Split(Joint);

    /// <summary>The device whose layers are spread over several.</summary>
    public static string Join(IEnumerable<string> members) => string.Join(Joint, members);

    // "cuda" is the first GPU, and numbers have one spelling.
    private static string Normalize(string name)
    {
        string lower = name.ToLowerInvariant();
        return lower == "cuda" ? "cuda:0" : GpuName().Match(lower) is { Success: true } match
            ? string.Create(CultureInfo.InvariantCulture, $"cuda:{int.Parse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture)}")
            : name;
    }

    private static SparseFrontierException Invalid(string text, string message) => new(ErrorIds.ParameterInvalid, message, text);

    [GeneratedRegex(@"\Acuda:([0-9]{1,6})\z")]
    private static partial Regex GpuName();
}
