namespace SparseFrontier.Tasks;

/// <summary>Multiple-choice questions on transcripts of listening tests (TOEFL-QA, Tseng et al. 2016).</summary>
public sealed class Toefl : MultipleChoiceTask
{
    /// <inheritdoc/>
    public override string Name => "Toefl";

    /// <inheritdoc/>
    public override int Version => 1;

    /// <inheritdoc/>
    public override string Description => "Answer a multiple-choice question on one of many transcripts of lectures and conversations.";

    private protected override string[] FileNames => ["toeflqa.jsonl", "toefl.jsonl"];

    private protected override string Origin =>
        "Get TOEFL-QA from https://github.com/iamyuanchung/TOEFL-QA (no licence is stated) and write JSON lines {context, questions: [text with "
        + "options A to D inline], answer: [letters]}, or take toeflqa.jsonl of the LC_VS_RAG data.";
}
