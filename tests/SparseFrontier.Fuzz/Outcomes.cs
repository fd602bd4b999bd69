namespace SparseFrontier.Fuzz;

/// <summary>Tells outcomes apart by what their messages say, without the names and numbers in them: a new one shows that an input took a way that none took before.</summary>
internal static class Outcomes
{
    /// <summary>The outcome of an exception.</summary>
    public static int Of(Exception exception)
    {
        int outcome = HashCode.Combine((exception as SparseFrontierException)?.ErrorId.Length ?? 0, exception.GetType().Name.Length, Shape(exception.Message));
        return exception.InnerException is { } inner ? HashCode.Combine(outcome, Of(inner)) : outcome;
    }

    /// <summary>A message's words outside of quotation marks, without the place in a JSON text.</summary>
    public static int Shape(string message)
    {
        uint hash = 2166136261;
        bool quoted = false;
        int end = message.IndexOf(" Path: ", StringComparison.Ordinal);
        foreach (char c in end < 0 ? message : message.AsSpan(0, end))
        {
            quoted ^= c is '\'' or '"';
            if (!quoted && char.IsAsciiLetter(c))
            {
                hash = (hash ^ c) * 16777619;
            }
        }

        return (int)hash;
    }
}
