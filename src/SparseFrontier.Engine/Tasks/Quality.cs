namespace SparseFrontier.Tasks;

/// <summary>Multiple-choice questions on long texts (QuALITY, Pang et al. 2022).</summary>
public sealed class Quality : MultipleChoiceTask
{
    /// <inheritdoc/>
    public override string Name => "Quality";

    /// <inheritdoc/>
    public override int Version => 1;

    /// <inheritdoc/>
    public override string Description => "Answer a multiple-choice question on one of several long documents.";

    private protected override string[] FileNames => ["quality.jsonl"];

    private protected override string Origin =>
        "Get QuALITY (CC BY 4.0) from https://github.com/nyu-mll/quality and write JSON lines {context, questions: [text with options A to D inline], "
        + "answer: [letters]}, or take quality.jsonl of the LC_VS_RAG data.";
}
