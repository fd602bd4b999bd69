namespace SparseFrontier.Tasks;

/// <summary>What was bought in the chapter before the one in which a given item was bought? (paper, section 4.8).</summary>
public sealed class StoryMultiHop : EvaluationTask
{
    /// <inheritdoc/>
    public override string Name => "StoryMultiHop";

    /// <inheritdoc/>
    public override int Version => 2;

    /// <inheritdoc/>
    public override string Description => "Name the item that was bought in the chapter before that of another item.";

    /// <inheritdoc/>
    public override string Category => "MultiHop";

    /// <inheritdoc/>
    public override string Dispersion => "High";

    /// <inheritdoc/>
    public override string Scope => "Low";

    /// <inheritdoc/>
    public override string Metric => "ExactMatch";

    /// <inheritdoc/>
    public override IReadOnlyList<TaskParameter> Parameters { get; } =
    [
        new("Back", 1, 1, 16, "How many chapters before that of the item in the question the item asked for was bought.", HeldOutFrom: 2),
        HeldOutMaterial,
    ];

    /// <inheritdoc/>
    protected override TaskSource Open(TaskOptions options, IReadOnlyDictionary<string, int> parameters, PromptEncoder encoder)
    {
        int back = parameters["Back"];
        return new StorySource(
            this, options, encoder, (HeldOut)parameters[nameof(HeldOut)], Wording(back), (story, key) => new Draft(story, key, back));
    }

    /// <inheritdoc/>
    public override TaskScore Score(string goldJson, string response, bool referenceScoring = false)
    {
        string gold = AnswerParsing.WithoutArticle(Gold.Read<string>(goldJson, "gold_answer", Name));
        string? answer = AnswerParsing.Answer(response);
        string given = AnswerParsing.WithoutArticle(answer ?? "");
        string? failure = AnswerParsing.FormatFailure(response, answer, given.Length);
        return referenceScoring && (given.Length == 0 || gold.Length == 0)
            ? new TaskScore(null, failure)
            : new TaskScore(given.Length > 0 && given == gold ? 1 : 0, failure);
    }

    private static PromptWording Wording(int back) => new()
    {
        Introduction =
            $"The context is a story in numbered chapters. In every chapter {StoryMaterial.Protagonist} buys exactly one item and may sell an item "
            + "bought earlier. Answer the question about the order of the purchases.",
        AnswerFormat = "The name of the item alone, exactly as the story has it:\n<item>",
        Important =
        [
            "Only purchases count; sales do not matter.",
            $"The item asked for was bought exactly {(back == 1 ? "one chapter" : $"{back} chapters")} before the item in the question.",
        ],
        ShortIntroduction = "Answer from the story.",
        ShortAnswerFormat = "<item>",
    };

    private sealed class Draft(StoryGenerator story, long key, int back) : SampleDraft
    {
        public override int MinimumUnits => back + 1;

        public override int MaximumUnits => StoryGenerator.MaximumChapters;

        public override (string Question, string Context) Compose(int units, string filler)
        {
            string context = story.Text(units, new HashSet<int>(), filler);
            return (Question(Asked(units, 1)[0]), context);
        }

        public override (string GoldJson, string Target) Finish(int units)
        {
            int asked = Asked(units, 1)[0];
            return (Gold.Write(("gold_answer", Item(asked - back))), Response(asked));
        }

        public override IEnumerable<(string Question, string Target)> Further(int units, int count) =>
            Asked(units, Math.Min(units - back, count + 1)).Skip(1).Select(asked => (Question(asked), Response(asked)));

        // Chapters counted from 0; the first of them does not depend on how many are drawn.
        private int[] Asked(int units, int count) => StorySource.Choose(key, back, units, count).Chapters;

        private string Item(int chapter) => story.Chapters(chapter + 1)[chapter].Item;

        private string Question(int asked) =>
            $"Which item did {StoryMaterial.Protagonist} buy {(back == 1 ? "in the chapter" : $"{back} chapters")} before the one in which {StoryMaterial.Protagonist} bought the {Item(asked)}?";

        private string Response(int asked) => PromptProtocol.Response(
            $"The {Item(asked)} is the item of chapter {asked + 1}. In chapter {asked + 1 - back} the item is {Item(asked - back)}.", Item(asked - back));
    }
}
