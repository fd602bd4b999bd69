using System.Runtime.CompilerServices;

namespace SparseFrontier.Models.Tokenizers.Jinja;

/// <summary>
/// Bounds what one rendering may do, since a template comes with a checkpoint and so from anybody: loops in loops, texts that double, lists that hold themselves
/// twice. A unit is an expression, a character or an item; real templates take a few hundred for each message and a few for each of its characters.
/// </summary>
internal static class JinjaWork
{
    private const long Least = 1 << 20;
    private const long PerMessage = 4096;
    private const long PerCharacter = 64;

    // A pass of a loop makes the loop's variable and a scope.
    private const int LoopPass = 64;

    [ThreadStatic]
    private static long s_left;

    /// <summary>Begins a rendering, which stays on one thread.</summary>
    /// <param name="messages">Messages of the conversation.</param>
    /// <param name="characters">Characters of the conversation.</param>
    public static void Begin(int messages, long characters) => s_left = Least + (PerMessage * messages) + (PerCharacter * characters);

    /// <summary>Counts work before it is done.</summary>
    /// <exception cref="SparseFrontierException">ChatTemplateUnsupported: there is no more left.</exception>
    public static void Spend(long units, int line)
    {
        s_left -= Math.Max(0, units);
        if (s_left < 0)
        {
            throw JinjaErrors.Unsupported("more steps or longer texts than any conversation needs", line);
        }
    }

    /// <summary>Counts a pass of a loop.</summary>
    public static void SpendPass(int line) => Spend(LoopPass, line);

    /// <summary>Counts looking through a text, which is quicker than making one.</summary>
    public static void SpendSearch(string text, int line) => Spend(1 + (text.Length >> 4), line);

    /// <summary>Counts a value that was made.</summary>
    public static object? Made(object? value, int line)
    {
        Spend(
            value switch
            {
                string text => text.Length,
                List<object?> list => list.Count,
                Dictionary<string, object?> mapping => 4L * mapping.Count,
                _ => 0,
            },
            line);
        return value;
    }

    /// <summary>Refuses what is nested so deep, one part in the other, that going on would end the process by its stack.</summary>
    /// <exception cref="SparseFrontierException">ChatTemplateUnsupported.</exception>
    public static void RequireStack(int line)
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw JinjaErrors.Unsupported("expressions or values nested deeper than the stack holds", line);
        }
    }
}
