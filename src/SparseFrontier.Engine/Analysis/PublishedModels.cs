namespace SparseFrontier.Analysis;

/// <summary>Shapes of the models of the paper, as their published config.json files give them, so that no checkpoint is needed to compute a cost.</summary>
public static class PublishedModels
{
    private static readonly string[] s_endings = ["-Instruct", "-it", "-hf"];

    /// <summary>All shapes, family by family from the smallest.</summary>
    public static IReadOnlyList<ModelShape> All { get; } =
    [
        Qwen("Qwen2.5-7B", 28, 3584, 18944, 28, 4),
        Qwen("Qwen2.5-14B", 48, 5120, 13824, 40, 8),
        Qwen("Qwen2.5-32B", 64, 5120, 27648, 40, 8),
        Qwen("Qwen2.5-72B", 80, 8192, 29568, 64, 8),
        Llama("Llama-3.1-8B", 32, 4096, 14336, 32),
        Llama("Llama-3.1-70B", 80, 8192, 28672, 64),
        Gemma("gemma-3-4b", 34, 2560, 10240, 8, 4, 256),
        Gemma("gemma-3-12b", 48, 3840, 15360, 16, 8, 256),
        Gemma("gemma-3-27b", 62, 5376, 21504, 32, 16, 128),
    ];

    /// <summary>The shape of a name in any case, with or without an owner, "Meta-" before it and "-Instruct", "-it" or "-hf" behind it; null if none has it.</summary>
    public static ModelShape? Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        string bare = name[(name.LastIndexOf('/') + 1)..];
        bare = bare.StartsWith("Meta-", StringComparison.OrdinalIgnoreCase) ? bare["Meta-".Length..] : bare;
        string? ending = Array.Find(s_endings, e => bare.EndsWith(e, StringComparison.OrdinalIgnoreCase));
        bare = ending is null ? bare : bare[..^ending.Length];
        return All.FirstOrDefault(m => m.Name.Equals(bare, StringComparison.OrdinalIgnoreCase));
    }

    private static ModelShape Qwen(string name, int layers, int hidden, int intermediate, int heads, int kvHeads) => new()
    {
        Name = name,
        SlidingWindows = new int[layers],
        HiddenSize = hidden,
        IntermediateSize = intermediate,
        QueryHeads = heads,
        KvHeads = kvHeads,
        HeadDimension = 128,
        VocabularySize = 152064,
        QueryKeyValueBias = true,
    };

    private static ModelShape Llama(string name, int layers, int hidden, int intermediate, int heads) => new()
    {
        Name = name,
        SlidingWindows = new int[layers],
        HiddenSize = hidden,
        IntermediateSize = intermediate,
        QueryHeads = heads,
        KvHeads = 8,
        HeadDimension = 128,
        VocabularySize = 128256,
    };

    // Every sixth layer is global, the others see 1,024 tokens.
    private static ModelShape Gemma(string name, int layers, int hidden, int intermediate, int heads, int kvHeads, int dimension) => new()
    {
        Name = name,
        SlidingWindows = [.. Enumerable.Range(1, layers).Select(i => i % 6 == 0 ? 0 : 1024)],
        HiddenSize = hidden,
        IntermediateSize = intermediate,
        QueryHeads = heads,
        KvHeads = kvHeads,
        HeadDimension = dimension,
        VocabularySize = 262208,
        TiedEmbeddings = true,
        QueryKeyNorms = true,
        NormsPerLayer = 4,
    };
}
