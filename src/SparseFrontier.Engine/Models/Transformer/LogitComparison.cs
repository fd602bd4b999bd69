namespace SparseFrontier.Models.Transformer;

/// <summary>What is asked of a row's logits.</summary>
/// <param name="Token">Whose probability.</param>
/// <param name="Dense">Row of the same call whose distribution it is compared with; -1: with none.</param>
internal readonly record struct LogitQuestion(int Token, int Dense);

/// <summary>What a row's logits answer.</summary>
/// <param name="LogProbability">Natural logarithm of the token's probability.</param>
/// <param name="Divergence">Kullback-Leibler divergence from the dense row's distribution, in nats; 0 without one.</param>
internal readonly record struct LogitAnswer(double LogProbability, double Divergence);
