using SparseFrontier.Fuzz.Mutation;

namespace SparseFrontier.Fuzz;

/// <summary>A file that a reader reads, with valid content to begin with.</summary>
/// <param name="Path">Path inside the reader's folder.</param>
/// <param name="Format">What it holds.</param>
/// <param name="Seeds">Valid contents; the first stands there while another file is changed.</param>
internal sealed record FuzzFile(string Path, FuzzFormat Format, params IReadOnlyList<byte[]> Seeds);

/// <summary>Something of this project that reads files which may come from anybody.</summary>
internal abstract class FuzzReader
{
    /// <summary>Name on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>The files; one of them is changed in each case.</summary>
    public abstract IReadOnlyList<FuzzFile> Files { get; }

    /// <summary>
    /// Bytes that may be allocated for each byte of the files, short-lived ones included: a JSON text is decoded, parsed, and made into objects and messages.
    /// </summary>
    public virtual int BytesPerByte => 64;

    /// <summary>Bytes that may be allocated whatever the files hold: tables of fixed size, buffers, messages.</summary>
    public virtual int BytesAtLeast => 1 << 20;

    /// <summary>Whether reading writes to the output folder.</summary>
    public virtual bool Writes => false;

    /// <summary>Share of the cases of a run over all readers; small for readers that take long.</summary>
    public virtual double Weight => 1;

    /// <summary>Reads the files as the program does, and uses what was read as far as files decide about it.</summary>
    /// <param name="input">Folder that holds the files.</param>
    /// <param name="output">An empty folder to write to.</param>
    /// <returns>What kind of content it was, so that inputs that lead somewhere new are kept.</returns>
    public abstract int Read(string input, string output);

    /// <summary>The order of magnitude of a count.</summary>
    protected static int Magnitude(long count) => 64 - System.Numerics.BitOperations.LeadingZeroCount((ulong)Math.Max(0, count));
}
