namespace SparseFrontier.Tasks;

/// <summary>A prompt with its templated token ids.</summary>
internal sealed record FittedPrompt(ComposedPrompt Prompt, int[] Ids, int Units);

/// <summary>
/// Chooses how many units (pairs, chapters, lines, words) a prompt holds so that its templated form takes 95 to 100 % of a length. Whole
/// prompts are tokenised, never parts, so that nothing is assumed of how a tokenizer joins parts; a good first guess makes that once or twice.
/// </summary>
internal static class LengthFitter
{
    /// <summary>Share of the length that a prompt must reach (paper, section 3.2).</summary>
    public const double MinimumFill = 0.95;

    private const double Aim = 0.985;

    /// <summary>Tokens that a first guess should plan for at a length.</summary>
    public static double Target(int length) => Aim * length;

    /// <summary>Whether a count is 95 to 100 % of a length.</summary>
    public static bool Fills(int tokens, int length) => tokens <= length && tokens >= MinimumFill * length;

    /// <summary>
    /// The prompt of the first number of units found to fill the length, or of the largest number that fits when none fills it; null when
    /// not even <paramref name="minimum"/> units fit.
    /// </summary>
    /// <param name="encoder">Template and tokenizer.</param>
    /// <param name="length">Tokens at most.</param>
    /// <param name="minimum">Fewest units.</param>
    /// <param name="maximum">Most units.</param>
    /// <param name="guess">Units to try first.</param>
    /// <param name="unitTokens">Tokens of a unit, roughly.</param>
    /// <param name="compose">The prompt of a number of units; longer with every unit.</param>
    public static FittedPrompt? Fit(
        PromptEncoder encoder, int length, int minimum, int maximum, double guess, double unitTokens, Func<int, ComposedPrompt> compose)
    {
        FittedPrompt? best = null;
        int low = minimum - 1;
        int high = maximum == int.MaxValue ? maximum : maximum + 1;
        int units = (int)Math.Clamp(guess, minimum, high - 1);
        while (true)
        {
            ComposedPrompt prompt = compose(units);
            int[] ids = encoder.Encode(encoder.Template(prompt.Text));
            double step;
            if (ids.Length > length)
            {
                high = units;
                step = -Math.Max(1, Math.Ceiling((ids.Length - Target(length)) / unitTokens));
            }
            else
            {
                low = units;
                best = new FittedPrompt(prompt, ids, units);
                if (Fills(ids.Length, length))
                {
                    return best;
                }

                step = Math.Max(1, Math.Floor((Target(length) - ids.Length) / unitTokens));
            }

            if (high - low <= 1)
            {
                return best;
            }

            units = (int)Math.Clamp(units + step, low + 1, high - 1);
        }
    }
}
