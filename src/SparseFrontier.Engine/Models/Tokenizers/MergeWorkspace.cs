namespace SparseFrontier.Models.Tokenizers;

/// <summary>Buffers of one encoding; they grow to the longest piece and are not shared between threads.</summary>
internal sealed class MergeWorkspace
{
    /// <summary>Token id of each symbol.</summary>
    public int[] Ids { get; private set; } = new int[64];

    /// <summary>Rank of each symbol's pair with the next one.</summary>
    public int[] Ranks { get; private set; } = new int[64];

    /// <summary>Index of the next symbol; only for long pieces.</summary>
    public int[] Next { get; private set; } = [];

    /// <summary>Index of the previous symbol; only for long pieces.</summary>
    public int[] Previous { get; private set; } = [];

    /// <summary>Merges to come; only for long pieces.</summary>
    public MergeHeap Heap { get; } = new();

    /// <summary>Number of symbols.</summary>
    public int Count { get; private set; }

    /// <summary>Empties it, with room for a number of symbols.</summary>
    public void Clear(int capacity)
    {
        Count = 0;
        if (Ids.Length < capacity)
        {
            int size = Math.Max(capacity, 2 * Ids.Length);
            Ids = new int[size];
            Ranks = new int[size];
        }
    }

    /// <summary>Appends a symbol.</summary>
    public void Add(int id) => Ids[Count++] = id;

    /// <summary>Makes room for the links of the present symbols.</summary>
    public void NeedLinks()
    {
        if (Next.Length < Count)
        {
            Next = new int[Ids.Length];
            Previous = new int[Ids.Length];
        }
    }
}
