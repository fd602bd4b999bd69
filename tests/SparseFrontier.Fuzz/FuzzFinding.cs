namespace SparseFrontier.Fuzz;

/// <summary>Something that must not happen.</summary>
/// <param name="Reader">Where.</param>
/// <param name="Kind">"exception", "allocation", "slow", "escape", "crash" or "hang".</param>
/// <param name="What">Type and message of the exception, or the figure.</param>
/// <param name="Where">The places in the code that tell it from others.</param>
/// <param name="Input">Folder with the files, for <c>--input</c>.</param>
internal sealed record FuzzFinding(string Reader, string Kind, string What, string Where, string Input)
{
    /// <summary>Cases that ended like this.</summary>
    public long Count { get; set; } = 1;
}
