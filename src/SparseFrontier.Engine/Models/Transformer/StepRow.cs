namespace SparseFrontier.Models.Transformer;

/// <summary>One token of one sequence.</summary>
/// <param name="Sequence">The sequence that it continues.</param>
/// <param name="Token">Token id.</param>
public readonly record struct StepRow(DecodeSequence Sequence, int Token);
