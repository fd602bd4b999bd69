namespace SparseFrontier.Experiments;

/// <summary>What the listing operations have in common.</summary>
internal static class CatalogListing
{
    /// <summary>Emits the items whose names match, each once; a name without wildcards that no item has is an error on the sink.</summary>
    /// <param name="items">All items.</param>
    /// <param name="nameOf">An item's name.</param>
    /// <param name="patterns">Names asked for; none: all.</param>
    /// <param name="shows">Whether to show an item; told whether it was named without wildcards.</param>
    /// <param name="errorId">Error of an unknown name.</param>
    /// <param name="kind">What an item is called.</param>
    /// <param name="describe">Makes the object to emit.</param>
    /// <param name="sink">Receives the objects.</param>
    /// <param name="cancellationToken">Stops between items.</param>
    public static void Emit<T>(
        IReadOnlyList<T> items,
        Func<T, string> nameOf,
        IReadOnlyList<string> patterns,
        Func<T, bool, bool> shows,
        string errorId,
        string kind,
        Func<T, object> describe,
        IPipelineSink sink,
        CancellationToken cancellationToken)
    {
        foreach (T item in items)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string name = nameOf(item);
            bool named = patterns.Contains(name, StringComparer.OrdinalIgnoreCase);
            if ((patterns.Count == 0 || patterns.Any(p => NameMatcher.Matches(name, p))) && shows(item, named))
            {
                sink.Object(describe(item));
            }
        }

        foreach (string pattern in patterns.Where(p => !NameMatcher.IsPattern(p) && !items.Any(i => nameOf(i).Equals(p, StringComparison.OrdinalIgnoreCase))))
        {
            sink.Error(new SparseFrontierException(
                errorId, $"There is no {kind} '{pattern}'. {NameMatcher.Suggestion(pattern, [.. items.Select(nameOf).Distinct()])}", pattern));
        }
    }
}
